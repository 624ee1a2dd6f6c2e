/** The functions under the official `convex-test`, and the batches that tests hand to them. */
import { convexTest } from 'convex-test';
import type { FunctionArgs } from 'convex/server';
import type { api } from '../../convex/_generated/api.js';
import { ISSUER } from '../../convex/issuer.ts';
import schema from '../../convex/schema.ts';

/** Keyed as convex-test wants it: by path from the folder that holds `_generated`. */
const modules = {
  '../../convex/_generated/api.js': () => import('../../convex/_generated/api.js'),
  '../../convex/threads.ts': () => import('../../convex/threads.ts'),
  '../../convex/messages.ts': () => import('../../convex/messages.ts'),
  '../../convex/runs.ts': () => import('../../convex/runs.ts'),
  '../../convex/approvals.ts': () => import('../../convex/approvals.ts'),
  '../../convex/projects.ts': () => import('../../convex/projects.ts'),
  '../../convex/skills.ts': () => import('../../convex/skills.ts'),
  '../../convex/cursors.ts': () => import('../../convex/cursors.ts'),
};

/** As the bridge calls it, which may do everything. */
export function backend() {
  return anonymousBackend().withIdentity(tokenOf('bridge'));
}

export function anonymousBackend() {
  return convexTest(schema, modules);
}

/** What is left of a token once it was checked. */
export function tokenOf(role: string) {
  return { tokenIdentifier: `${ISSUER}|b`, issuer: ISSUER, subject: 'b', role };
}

export const MACHINE = 'machine-1';
export const CODEX_ID = '0199a213-81c0-7800-8aa1-bbab2a035a53';

type Batch = FunctionArgs<typeof api.messages.ingest>;
export type Item = Batch['items'][number];

export function message(key: string, text: string, ts = 1_000, fields: Partial<Item> = {}): Item {
  return { key, kind: 'message', role: 'user', text, ts, ...fields };
}

/** A batch of a session file that Codex wrote outside the bridge. */
export function fileBatch(items: Item[], fields: Partial<Batch> = {}): Batch {
  return {
    machineId: MACHINE,
    thread: { resumeId: CODEX_ID, source: 'external', createdAt: 500 },
    items,
    ...fields,
  };
}

export function cursorAt(
  offset: number,
  fields: Partial<NonNullable<Batch['cursor']>> = {},
): NonNullable<Batch['cursor']> {
  return {
    path: 'sessions/2026/01/01/rollout-a.jsonl',
    fingerprint: 'f'.repeat(64),
    device: '1',
    inode: '2',
    offset,
    tailHash: 't'.repeat(64),
    generation: 0,
    resumeId: CODEX_ID,
    quarantine: [],
    parserVersion: 1,
    ...fields,
  };
}

export const allPages = { numItems: 1_000, cursor: null };
