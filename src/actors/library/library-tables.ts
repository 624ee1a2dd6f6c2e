/** The tables `projects` and `skills`, as mirrors of files. */
import type { FunctionReturnType } from 'convex/server';
import { api } from '../../../convex/_generated/api.js';
import { portableJson } from '../../codex/portable-json.ts';
import type { Project } from '../../library/project.ts';
import type { ScopedSkill } from '../../library/skill-scopes.ts';
import type { ConvexConnection } from '../convex/connection.ts';
import type { MirrorTable } from './mirror.ts';
import { skillKey } from './skill-files.ts';

type Connection = Pick<ConvexConnection, 'query' | 'mutation'>;

/** Rows of a page; each is a few kilobytes at most. */
const PAGE_SIZE = 500;
/** Skills of one transaction; of a thousand the first are on a screen before the last are written. */
const BATCH_SIZE = 250;

export function projectsTable(connection: Connection, machineId: string): MirrorTable<Project> {
  return {
    rows: async function* () {
      let cursor: string | null = null;
      for (let isDone = false; !isDone;) {
        const paginationOpts = { cursor, numItems: PAGE_SIZE };
        const result: FunctionReturnType<typeof api.projects.forMachine> = await connection.query(
          api.projects.forMachine,
          { machineId, paginationOpts },
        );
        for (const row of result.page) yield { key: row.id, fields: fieldsOf(row) };
        ({ isDone, continueCursor: cursor } = result);
      }
    },
    key: ({ id }) => id,
    fields: (project) => project,
    write: async (projects) => {
      for (const project of projects)
        await connection.mutation(api.projects.upsertFromFs, { machineId, project });
    },
    remove: async (ids) => {
      for (const id of ids) await connection.mutation(api.projects.remove, { machineId, id });
    },
  };
}

export function skillsTable(connection: Connection, machineId: string): MirrorTable<ScopedSkill> {
  return {
    rows: async function* () {
      let cursor: string | null = null;
      for (let isDone = false; !isDone;) {
        const paginationOpts = { cursor, numItems: PAGE_SIZE };
        const result: FunctionReturnType<typeof api.skills.forMachine> = await connection.query(
          api.skills.forMachine,
          { machineId, paginationOpts },
        );
        for (const row of result.page) yield { key: skillKey(row), fields: fieldsOf(row) };
        ({ isDone, continueCursor: cursor } = result);
      }
    },
    key: skillKey,
    fields: storable,
    write: async (skills) => {
      for (let at = 0; at < skills.length; at += BATCH_SIZE) {
        const batch = skills.slice(at, at + BATCH_SIZE).map(storable);
        await connection.mutation(api.skills.bulkUpsertFromFs, { machineId, skills: batch });
      }
    },
    remove: async (keys) => {
      for (const [scope, skillIds] of byScope(keys)) {
        for (let at = 0; at < skillIds.length; at += BATCH_SIZE) {
          await connection.mutation(api.skills.removeByScope, {
            machineId,
            ...scope,
            skillIds: skillIds.slice(at, at + BATCH_SIZE),
          });
        }
      }
    },
  };
}

/** Metadata is whatever a person wrote; some of it no store takes as it is. */
function storable({ metadata, ...skill }: ScopedSkill) {
  if (metadata === undefined) return skill;
  // An object goes in, so one comes out.
  return { ...skill, metadata: portableJson(metadata) as Record<string, unknown> };
}

interface StoredFields {
  _id: unknown;
  _creationTime: unknown;
  machineId: unknown;
  createdAt: unknown;
  updatedAt: unknown;
}

/** What of a row comes from its file. */
function fieldsOf<Row extends StoredFields>(row: Row) {
  const {
    _id,
    _creationTime,
    machineId: _machineId,
    createdAt: _createdAt,
    updatedAt: _updatedAt,
    ...fields
  } = row;
  return fields;
}

type Scope = Pick<ScopedSkill, 'source' | 'projectId'>;

function byScope(keys: readonly string[]): [Scope, string[]][] {
  const scopes = new Map<string, [Scope, string[]]>();
  for (const key of keys) {
    // What `skillKey` wrote.
    const [source, projectId, skillId]: [Scope['source'], string | null, string] = JSON.parse(key);
    const name = JSON.stringify([source, projectId]);
    const scope = { source, ...(projectId === null ? {} : { projectId }) };
    const entry = scopes.get(name) ?? [scope, []];
    entry[1].push(skillId);
    scopes.set(name, entry);
  }
  return [...scopes.values()];
}
