/** Projects and skills: files on one side, the real daemon between, official clients on the other. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFunctionReference } from 'convex/server';
import { expect, test } from 'vitest';
import { projectsFrame, skillsFrame } from '../../src/control/library.ts';
import { commandLine } from '../support/command-line.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { subscribe, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Row {
  _id: string;
  id?: string;
  skillId?: string;
  name: string;
  description?: string;
  model?: string;
  projectId?: string;
  source?: string;
}

const projectsList = makeFunctionReference<'query', { limit?: number }, Row[]>('projects:list');
const skillsListAll = makeFunctionReference<'query', { projectId?: string; limit?: number }, Row[]>(
  'skills:listAll',
);

test('a project is created, edited, broken, repaired, saved by a client, and deleted', async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'openagents', 'projects', 'site', 'PROJECT.md');
  await using daemon = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(daemon);
  const bridge = await daemon.connect();

  put(file, project('Site', 'model: one'));
  const [created] = await rows(app, projectsList, ([row]) => row?.model === 'one');
  // As editors do: a temporary file beside it, renamed over it.
  put(`${file}.swp`, project('Site', 'model: two'));
  renameSync(`${file}.swp`, file);
  const [edited] = await rows(app, projectsList, ([row]) => row?.model === 'two');
  expect(edited?._id).toBe(created?._id);

  put(file, project('Site', 'sandbox: all'));
  const broken = await frameOf(bridge, (frame) => frame.problems.length > 0);
  expect(broken.problems).toEqual([
    { path: file, line: 4, column: 10, message: expect.stringContaining('sandbox') },
  ]);
  expect(broken.items).toMatchObject([{ id: 'site', model: 'two' }]);

  put(file, project('Site', 'model: three # keep'));
  await rows(app, projectsList, ([row]) => row?.model === 'three');
  const saved = await bridge.request('project.save', {
    project: { id: 'site', name: 'My site', workingDir: '/w', model: 'three' },
  });
  expect(projectsFrame.parse(saved).items).toMatchObject([{ id: 'site', name: 'My site' }]);
  expect(readFileSync(file, 'utf8')).toBe(
    project('My site', 'model: three # keep').replace('/tmp', '/w'),
  );
  await rows(app, projectsList, ([row]) => row?.name === 'My site');

  await bridge.request('project.delete', { projectId: 'site' });
  await rows(app, projectsList, (list) => list.length === 0);
  bridge.close();
});

test('project.save and project.delete refuse what is no project, and say why', async () => {
  using folder = temporaryFolder();
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const bridge = await daemon.connect();
  const refused = [
    [{ id: '../x', name: 'X', workingDir: '/w' }, 'letters, digits'],
    [{ id: 'x', name: 'X', workingDir: 'w' }, 'absolute path'],
    [{ id: 'x', name: '', workingDir: '/w' }, 'must not be empty'],
  ] as const;
  for (const [wrong, reason] of refused) {
    await expect(bridge.request('project.save', { project: wrong })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(reason),
    });
  }
  await expect(bridge.request('project.delete', { projectId: 'nobody' })).rejects.toMatchObject({
    code: 'not_found',
  });
  bridge.close();
});

test('what changed while nobody looked is mirrored at the start, and an invalid file keeps its row', async () => {
  using folder = temporaryFolder();
  const at = (id: string) => join(folder.path, 'openagents', 'projects', id, 'PROJECT.md');
  put(at('a'), project('A'));
  put(at('b'), project('B'));
  put(at('c'), project('C'));
  {
    await using daemon = await startDaemonProcess({ folder: folder.path });
    await using app = subscribe(daemon);
    await rows(app, projectsList, (list) => list.length === 3);
  }
  put(at('a'), 'no block');
  put(at('b'), project('B2'));
  rmSync(dirname(at('c')), { recursive: true });
  await using daemon = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(daemon);
  const names = (list: Row[]) => list.map(({ name }) => name).join();
  // A row that would go for the invalid file would go together with that of the deleted one.
  await rows(app, projectsList, (list) => names(list) === 'A,B2');
});

test("skills of user, package and projects are mirrored; a project's folder may come later", async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, 'openagents');
  const workingDir = join(folder.path, 'site');
  mkdirSync(workingDir);
  put(join(home, 'projects', 'site', 'PROJECT.md'), project('Site').replace('/tmp', workingDir));
  put(join(home, 'skills', 'mine', 'SKILL.md'), skill('mine', 'My own.'));
  put(join(home, 'skills', 'oa-bridge', 'SKILL.md'), skill('oa-bridge', 'Better.'));
  await using daemon = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(daemon);
  const first = await rows(app, skillsListAll, (list) => list.length > 0, { projectId: 'site' });
  expect(first.map(({ skillId, source }) => [skillId, source])).toEqual([
    ['mine', 'user'],
    ['oa-bridge', 'user'],
  ]);

  put(join(workingDir, 'skills', 'deploy', 'SKILL.md'), skill('deploy', 'Deploys.'));
  await rows(app, skillsListAll, (list) => list.length === 3, { projectId: 'site' });
  // The registry's own is no longer hidden.
  rmSync(join(home, 'skills', 'oa-bridge'), { recursive: true });
  await rows(app, skillsListAll, (list) => list.some(({ source }) => source === 'registry'));
  rmSync(join(home, 'projects', 'site'), { recursive: true });
  await rows(app, skillsListAll, (list) => list.length === 2, { projectId: 'site' });

  const bridge = await daemon.connect();
  const frame = skillsFrame.parse(await bridge.request('skills'));
  expect(frame.items.map(({ skillId }) => skillId)).toEqual(['oa-bridge', 'mine']);
  bridge.close();
});

test('a thousand skills arrive together, and a burst of edits ends in the last state', async () => {
  using folder = temporaryFolder();
  const skills = join(folder.path, 'openagents', 'skills');
  for (let n = 0; n < 1_000; n += 1)
    put(join(skills, `s-${n}`, 'SKILL.md'), skill(`s-${n}`, 'one'));
  await using daemon = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(daemon);
  await rows(app, skillsListAll, (list) => list.length === 1_001, { limit: 2_000 });
  for (let edit = 1; edit <= 200; edit += 1) {
    put(join(skills, 's-7', 'SKILL.md'), skill('s-7', `edit ${edit}`));
  }
  const edited = (list: Row[]) => list.find(({ skillId }) => skillId === 's-7')?.description;
  const list = await rows(app, skillsListAll, (found) => edited(found) === 'edit 200', {
    limit: 2_000,
  });
  expect(list).toHaveLength(1_001);
});

test('validate prints what is wrong as a compiler does, and fails', async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, 'openagents');
  const good = join(home, 'projects', 'a', 'PROJECT.md');
  const wrong = join(home, 'skills', 'b', 'SKILL.md');
  put(good, project('A'));
  const fine = await commandLine(folder.path, ['validate', good]);
  expect([fine.exitCode, fine.stdout]).toEqual([0, '1 file checked, all good']);
  put(wrong, skill('c', 'd'));
  const both = await commandLine(folder.path, ['validate', home]);
  expect(both.exitCode).toBe(1);
  expect(both.stdout).toBe(
    `${wrong}:2:7: error: name: is "c", but the folder is "b"; they must be equal\n2 files checked, 1 with errors`,
  );
  const json = await commandLine(folder.path, ['validate', '--json', wrong]);
  expect(JSON.parse(json.stdout)).toMatchObject({ files: 1, problems: [{ path: wrong, line: 2 }] });
  const missing = await commandLine(folder.path, ['validate', join(home, 'nothing')]);
  expect(missing.exitCode).toBe(2);
});

function project(name: string, more = ''): string {
  return `---\nname: ${name}\nworkingDir: /tmp\n${more === '' ? '' : `${more}\n`}---\n\nNotes.\n`;
}

function skill(name: string, description: string): string {
  return `---\nname: ${name}\ndescription: ${description}\n---\n\nWhat to do.\n`;
}

function put(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text);
}

function rows<Query extends typeof projectsList | typeof skillsListAll>(
  { client }: Subscriber,
  query: Query,
  fits: (rows: Row[]) => boolean,
  args: Query['_args'] = {},
): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    let isFound = false;
    const stop = client.onUpdate(
      query,
      args,
      (value: Row[]) => {
        if (isFound || !fits(value)) return;
        isFound = true;
        // The callback can come before `onUpdate` has returned.
        queueMicrotask(() => stop());
        resolve(value);
      },
      reject,
    );
  });
}

async function frameOf(
  bridge: Awaited<ReturnType<Awaited<ReturnType<typeof startDaemonProcess>>['connect']>>,
  fits: (frame: ReturnType<typeof projectsFrame.parse>) => boolean,
) {
  const { promise, resolve } = Promise.withResolvers<ReturnType<typeof projectsFrame.parse>>();
  bridge.onFrame((frame) => {
    const parsed = projectsFrame.safeParse(frame);
    if (parsed.success && fits(parsed.data)) resolve(parsed.data);
  });
  const now = projectsFrame.parse(await bridge.request('projects'));
  return fits(now) ? now : await promise;
}
