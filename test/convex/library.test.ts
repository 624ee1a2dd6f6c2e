import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { allPages, anonymousBackend, backend, MACHINE, tokenOf } from './backend.ts';

const project = { id: 'p', name: 'P', workingDir: '/p' };
const skill = (skillId: string, source: 'user' | 'registry' | 'project', projectId?: string) => ({
  skillId,
  name: skillId,
  description: `${skillId} of ${source}`,
  source,
  ...(projectId === undefined ? {} : { projectId }),
});

describe('projects', () => {
  it('are what their file says, whatever it said before', async () => {
    const convex = backend();
    const model = { ...project, model: 'm', repo: { url: 'u' } };
    const first = await convex.mutation(api.projects.upsertFromFs, {
      machineId: MACHINE,
      project: model,
    });
    const again = await convex.mutation(api.projects.upsertFromFs, { machineId: MACHINE, project });
    expect(again).toBe(first);
    const row = await convex.query(api.projects.byId, { id: 'p' });
    expect(row).toMatchObject({ ...project, machineId: MACHINE });
    expect(row).not.toHaveProperty('model');
    expect(row).not.toHaveProperty('repo');
  });

  it('of one id on two machines are two', async () => {
    const convex = backend();
    for (const machineId of ['a', 'b']) {
      await convex.mutation(api.projects.upsertFromFs, { machineId, project });
    }
    expect(await convex.query(api.projects.list, {})).toHaveLength(2);
    expect(await convex.mutation(api.projects.remove, { machineId: 'a', id: 'p' })).toBe(true);
    expect(await convex.mutation(api.projects.remove, { machineId: 'a', id: 'p' })).toBe(false);
    expect(await convex.query(api.projects.byId, { id: 'p', machineId: 'a' })).toBeNull();
    expect(await convex.query(api.projects.byId, { id: 'p' })).toMatchObject({ machineId: 'b' });
  });

  it('are listed by name', async () => {
    const convex = backend();
    for (const name of ['B', 'C', 'A']) {
      const named = { ...project, id: name, name };
      await convex.mutation(api.projects.upsertFromFs, { machineId: MACHINE, project: named });
    }
    const names = (await convex.query(api.projects.list, { limit: 2 })).map((row) => row.name);
    expect(names).toEqual(['A', 'B']);
  });
});

describe('skills', () => {
  it("of the registry are hidden by a user's of the same id, and a project's come when it is named", async () => {
    const convex = backend();
    await convex.mutation(api.skills.bulkUpsertFromFs, {
      machineId: MACHINE,
      skills: [
        skill('a', 'user'),
        skill('a', 'registry'),
        skill('b', 'registry'),
        skill('a', 'project', 'p'),
        skill('c', 'project', 'q'),
      ],
    });
    const shown = async (projectId?: string) =>
      (await convex.query(api.skills.listAll, projectId === undefined ? {} : { projectId })).map(
        (row) => row.description,
      );
    expect(await shown()).toEqual(['a of user', 'b of registry']);
    expect(await shown('p')).toEqual(['a of user', 'b of registry', 'a of project']);
    const registry = await convex.query(api.skills.listByScope, { source: 'registry' });
    expect(registry.map((row) => row.skillId)).toEqual(['a', 'b']);
    const ofAll = await convex.query(api.skills.listByScope, { source: 'project' });
    expect(ofAll.map((row) => row.projectId)).toEqual(['p', 'q']);
  });

  it('keep their row when they are written again', async () => {
    const convex = backend();
    const id = await convex.mutation(api.skills.upsertFromFs, {
      machineId: MACHINE,
      skill: { ...skill('a', 'user'), license: 'MIT' },
    });
    await convex.mutation(api.skills.bulkUpsertFromFs, {
      machineId: MACHINE,
      skills: [skill('a', 'user')],
    });
    const [row] = await convex.query(api.skills.listAll, {});
    expect(row?._id).toBe(id);
    expect(row).not.toHaveProperty('license');
  });

  it('are removed by name, or all of a scope, and only of the machine', async () => {
    const convex = backend();
    for (const machineId of [MACHINE, 'other']) {
      await convex.mutation(api.skills.bulkUpsertFromFs, {
        machineId,
        skills: [skill('a', 'user'), skill('b', 'user'), skill('a', 'project', 'p')],
      });
    }
    const remove = async (args: {
      source: 'user' | 'project';
      projectId?: string;
      skillIds?: string[];
    }) => await convex.mutation(api.skills.removeByScope, { machineId: MACHINE, ...args });
    expect(await remove({ source: 'user', skillIds: ['a', 'nobody'] })).toBe(1);
    expect(await remove({ source: 'project', projectId: 'p' })).toBe(1);
    const left = await convex.query(api.skills.forMachine, {
      machineId: MACHINE,
      paginationOpts: allPages,
    });
    expect(left.page.map((row) => row.skillId)).toEqual(['b']);
    const others = await convex.query(api.skills.forMachine, {
      machineId: 'other',
      paginationOpts: allPages,
    });
    expect(others.page).toHaveLength(3);
  });

  it('come in batches that one transaction can hold', async () => {
    const many = Array.from({ length: 1_001 }, (_, n) => skill(`s${n}`, 'user'));
    await expect(
      backend().mutation(api.skills.bulkUpsertFromFs, { machineId: MACHINE, skills: many }),
    ).rejects.toThrow('At most 1000');
  });
});

it('apps may read them, and only the bridge may write', async () => {
  const client = anonymousBackend().withIdentity(tokenOf('client'));
  expect(await client.query(api.projects.list, {})).toEqual([]);
  expect(await client.query(api.skills.listAll, {})).toEqual([]);
  await expect(
    client.mutation(api.projects.upsertFromFs, { machineId: MACHINE, project }),
  ).rejects.toThrow('may not do this');
  await expect(
    client.mutation(api.skills.upsertFromFs, { machineId: MACHINE, skill: skill('a', 'user') }),
  ).rejects.toThrow('may not do this');
});
