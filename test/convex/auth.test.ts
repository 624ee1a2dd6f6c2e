import type { FunctionReference } from 'convex/server';
import { makeFunctionReference } from 'convex/server';
import { ConvexError } from 'convex/values';
import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import * as cursors from '../../convex/cursors.ts';
import * as messages from '../../convex/messages.ts';
import * as runs from '../../convex/runs.ts';
import * as threads from '../../convex/threads.ts';
import { anonymousBackend, cursorAt, fileBatch, MACHINE, message, tokenOf } from './backend.ts';

/** What an app may call besides all queries. */
const ofClients = new Set([
  'runs:enqueue',
  'runs:edit',
  'runs:cancel',
  'threads:create',
  'threads:rename',
]);

/** Arguments that each function's validator takes; the ids are of rows that are there. */
function someArguments(ids: { thread: string; run: string; message: string }) {
  const paginationOpts = { numItems: 1, cursor: null };
  const { thread, items } = fileBatch([message('k', 'text')]);
  const result: Record<string, Record<string, unknown>> = {
    'cursors:byPath': { machineId: MACHINE, path: 'p' },
    'cursors:forMachine': { machineId: MACHINE, paginationOpts },
    'messages:byId': { id: ids.message },
    'messages:countForThread': { threadId: ids.thread },
    'messages:create': { threadId: ids.thread },
    'messages:finalizeStreamed': { threadId: ids.thread, key: 'k' },
    'messages:forThread': { threadId: ids.thread },
    'messages:inKeyOrder': { threadId: ids.thread },
    'messages:ingest': { machineId: MACHINE, thread, items, cursor: cursorAt(1) },
    'messages:provisional': { machineId: MACHINE, paginationOpts },
    'messages:repair': { threadId: ids.thread, replace: [], remove: [] },
    'messages:search': { query: 'text' },
    'messages:upsertStreamed': { threadId: ids.thread, ...message('s', 'text'), seq: 1 },
    'runs:active': {},
    'runs:byId': { id: ids.run },
    'runs:cancel': { runId: ids.run },
    'runs:edit': { runId: ids.run, text: 'other' },
    'runs:progress': { machineId: MACHINE, runId: ids.run, progress: {} },
    'runs:recent': {},
    'runs:complete': { runId: ids.run },
    'runs:enqueue': { threadDocId: ids.thread, text: 'more' },
    'runs:fail': { runId: ids.run, error: 'x' },
    'runs:interrupt': { runId: ids.run },
    'runs:lease': { machineId: MACHINE, runId: ids.run, leaseMs: 1000 },
    'runs:listForThread': { threadDocId: ids.thread },
    'threads:byId': { id: ids.thread },
    'threads:create': {},
    'threads:list': {},
    'threads:listWithCounts': {},
    'threads:rename': { id: ids.thread, title: 'new' },
    'threads:upsertFromStream': { machineId: MACHINE, thread },
  };
  return result;
}

const endpoints = Object.entries({ cursors, messages, runs, threads }).flatMap(([face, module]) =>
  Object.entries(module)
    // What functions schedule, nobody can call from outside.
    .filter(([, registered]) => 'isPublic' in registered)
    .map(([name, registered]) => ({
      path: `${face}:${name}`,
      kind: 'isQuery' in registered ? ('query' as const) : ('mutation' as const),
    })),
);

async function setUp() {
  const convex = anonymousBackend();
  const bridge = convex.withIdentity(tokenOf('bridge'));
  const thread = await bridge.mutation(api.threads.create, {});
  const enqueue = { threadDocId: thread, text: 'build it' };
  const { runId, messageId } = await bridge.mutation(api.runs.enqueue, enqueue);
  const given = someArguments({ thread, run: runId, message: messageId });
  const call = (as: typeof bridge, { path, kind }: (typeof endpoints)[number]) => {
    const args = given[path] ?? {};
    return kind === 'query'
      ? as.query(makeFunctionReference<'query'>(path) as FunctionReference<'query'>, args)
      : as.mutation(makeFunctionReference<'mutation'>(path) as FunctionReference<'mutation'>, args);
  };
  return { convex, call };
}

/** The code of the refusal, or that there was none; other failures of the test are its own. */
async function codeOf(called: Promise<unknown>): Promise<string> {
  try {
    await called;
    return 'answered';
  } catch (error) {
    if (!(error instanceof ConvexError)) throw error;
    // Whether a fake hands over the data as text or as value is its own affair.
    const data: unknown = typeof error.data === 'string' ? JSON.parse(error.data) : error.data;
    return (data as { code: string }).code;
  }
}

const access = new Set(['unauthenticated', 'forbidden']);

describe.each(endpoints)('$path', (endpoint) => {
  it('answers nobody without a token of the bridge', async () => {
    const { convex, call } = await setUp();
    expect(await codeOf(call(convex as never, endpoint))).toBe('unauthenticated');
    const foreign = { ...tokenOf('bridge'), issuer: 'https://somebody.example.com' };
    expect(await codeOf(call(convex.withIdentity(foreign), endpoint))).toBe('unauthenticated');
  });

  const isOpen = endpoint.kind === 'query' || ofClients.has(endpoint.path);
  it(`${isOpen ? 'answers' : 'refuses'} an app`, async () => {
    const { convex, call } = await setUp();
    const code = await codeOf(call(convex.withIdentity(tokenOf('client')), endpoint));
    expect(access.has(code) ? code : 'let in').toBe(isOpen ? 'let in' : 'forbidden');
  });

  it('answers the bridge, and no role that nobody gave', async () => {
    const { convex, call } = await setUp();
    expect(access).not.toContain(
      await codeOf(call(convex.withIdentity(tokenOf('bridge')), endpoint)),
    );
    expect(await codeOf(call(convex.withIdentity(tokenOf('admin')), endpoint))).toBe('forbidden');
  });
});
