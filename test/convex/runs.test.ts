import { afterEach, describe, expect, it, vi } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { backend, MACHINE } from './backend.ts';

afterEach(() => vi.useRealTimers());

async function queued(machineId?: string) {
  const convex = backend();
  const threadDocId = await convex.mutation(api.threads.create, {});
  const { runId } = await convex.mutation(api.runs.enqueue, {
    threadDocId,
    text: 'build it',
    ...(machineId === undefined ? {} : { machineId }),
  });
  const run = async () =>
    (await convex.query(api.runs.listForThread, { threadDocId })).find((row) => row._id === runId);
  const lease = (as: string, leaseMs = 60_000) =>
    convex.mutation(api.runs.lease, { machineId: as, runId, leaseMs });
  return { convex, threadDocId, runId, run, lease };
}

describe('runs:enqueue', () => {
  it("writes the pending run and the user's provisional message together", async () => {
    const convex = backend();
    const threadDocId = await convex.mutation(api.threads.create, {});
    const { runId, messageId, threadId } = await convex.mutation(api.runs.enqueue, {
      threadDocId,
      text: 'build it',
      sandbox: 'read-only',
      approvals: 'never',
      model: 'm',
    });
    expect(threadId).toBe(threadDocId);
    expect(await convex.query(api.messages.byId, { id: messageId })).toMatchObject({
      threadId,
      key: `run/${runId}/prompt`,
      provisional: true,
      role: 'user',
      text: 'build it',
      runId,
    });
    expect(await convex.query(api.runs.active, {})).toMatchObject([
      { _id: runId, status: 'pending', sandbox: 'read-only', approvals: 'never', model: 'm' },
    ]);
    expect(await convex.query(api.threads.listWithCounts, {})).toMatchObject([
      { _id: threadDocId, messageCount: 1 },
    ]);
  });

  it('refuses an empty prompt and writes nothing', async () => {
    const convex = backend();
    const threadDocId = await convex.mutation(api.threads.create, {});
    await expect(convex.mutation(api.runs.enqueue, { threadDocId, text: ' \n' })).rejects.toThrow(
      /text_empty/,
    );
    expect(await convex.query(api.runs.active, {})).toEqual([]);
  });
});

it('an end brings with it what was seen before, and takes none of what is known', async () => {
  const { convex, runId, run, lease } = await queued();
  await lease(MACHINE);
  const progress = { state: 'running', pid: 7, spawnedAt: 1, evidence: { what: 'x', at: 3 } };
  await convex.mutation(api.runs.progress, { machineId: MACHINE, runId, progress });
  const seen = { sessionId: 's1', sessionAt: 2, pid: 7 };
  await convex.mutation(api.runs.complete, { runId, exitCode: 0, progress: seen });
  const { sessionId, spawnedAt, sessionAt, pid, state, evidence } = (await run()) ?? {};
  expect({ sessionId, spawnedAt, sessionAt, evidence }).toEqual({
    sessionId: 's1',
    spawnedAt: 1,
    sessionAt: 2,
    evidence: { what: 'x', at: 3 },
  });
  expect([pid, state]).toEqual([undefined, undefined]);
});

it('the prompt of a run that never began stays, as a row like others; of one that began its file confirms it', async () => {
  const isProvisional = async (seen?: { spawnedAt?: number }, isTaken = true) => {
    const { convex, threadDocId, runId, lease } = await queued();
    if (isTaken) await lease(MACHINE);
    const progress = seen === undefined ? {} : { progress: seen };
    await convex.mutation(api.runs.interrupt, { runId, error: 'x', ...progress });
    const [prompt] = await convex.query(api.messages.forThread, { threadId: threadDocId });
    expect(prompt).toMatchObject({ text: 'build it', key: `run/${runId}/prompt` });
    return prompt?.provisional === true;
  };
  expect(await isProvisional(undefined, false)).toBe(false);
  expect(await isProvisional({})).toBe(false);
  expect(await isProvisional({ spawnedAt: 1 })).toBe(true);
  // An earlier life may have begun it.
  expect(await isProvisional()).toBe(true);
});

describe('runs:lease', () => {
  it('makes a thread of nobody the machine’s that takes its first run, and so those behind it', async () => {
    const { convex, threadDocId, lease } = await queued();
    const behind = await convex.mutation(api.runs.enqueue, { threadDocId, text: 'and test it' });
    const takeIt = async (machineId: string) =>
      await convex.mutation(api.runs.lease, { machineId, runId: behind.runId, leaseMs: 1_000 });
    const takeAny = async (machineId: string) =>
      await convex.mutation(api.runs.lease, { machineId, leaseMs: 1_000 });
    await lease(MACHINE);
    expect(await takeIt('machine-2')).toBeNull();
    expect(await takeAny('machine-2')).toBeNull();
    expect(await takeIt(MACHINE)).toMatchObject({ text: 'and test it', machineId: MACHINE });
  });

  it('gives a run to one machine only, until its lease is over', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { lease } = await queued();
    expect(await lease(MACHINE)).toMatchObject({ status: 'processing', machineId: MACHINE });
    expect(await lease('machine-2')).toBeNull();
    expect(await lease(MACHINE)).toMatchObject({ machineId: MACHINE });
    vi.advanceTimersByTime(60_001);
    expect(await lease('machine-2')).toMatchObject({ machineId: 'machine-2' });
  });

  it('without an id takes the oldest that waits for this machine', async () => {
    const { convex, threadDocId } = await queued('machine-2');
    const mine = await convex.mutation(api.runs.enqueue, {
      threadDocId,
      text: 'mine',
      machineId: MACHINE,
    });
    const take = () => convex.mutation(api.runs.lease, { machineId: MACHINE, leaseMs: 1_000 });
    expect(await take()).toMatchObject({ _id: mine.runId });
    expect(await take()).toBeNull();
  });
});

describe('the end of a run', () => {
  it('is written once: what ended first stays', async () => {
    const { convex, runId, run, lease } = await queued();
    await lease(MACHINE);
    expect(await convex.mutation(api.runs.fail, { runId, error: 'boom', exitCode: 1 })).toBe(true);
    expect(await convex.mutation(api.runs.complete, { runId, exitCode: 0 })).toBe(false);
    expect(await convex.mutation(api.runs.interrupt, { runId })).toBe(false);
    expect(await run()).toMatchObject({ status: 'error', error: 'boom', exitCode: 1 });
    expect(await run()).not.toHaveProperty('leaseUntil');
    expect(await lease(MACHINE)).toBeNull();
    expect(await convex.query(api.runs.active, {})).toEqual([]);
  });

  it('may come while the run still waits', async () => {
    const { convex, runId, run } = await queued();
    expect(await convex.mutation(api.runs.interrupt, { runId, error: 'withdrawn' })).toBe(true);
    expect(await run()).toMatchObject({ status: 'interrupted', error: 'withdrawn' });
  });

  it('carries what the run used', async () => {
    const { convex, runId, run, lease } = await queued();
    await lease(MACHINE);
    const usage = {
      inputTokens: 1,
      cachedInputTokens: 0,
      outputTokens: 2,
      reasoningOutputTokens: 0,
      totalTokens: 3,
    };
    await convex.mutation(api.runs.complete, { runId, exitCode: 0, usage });
    expect(await run()).toMatchObject({ status: 'done', exitCode: 0, usage });
  });
});

describe('lists of runs', () => {
  it('listForThread shows the newest first', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { convex, threadDocId, runId } = await queued();
    vi.advanceTimersByTime(1);
    const second = await convex.mutation(api.runs.enqueue, { threadDocId, text: 'next' });
    const rows = await convex.query(api.runs.listForThread, { threadDocId });
    expect(rows.map((row) => row._id)).toEqual([second.runId, runId]);
    expect(await convex.query(api.runs.listForThread, { threadDocId, limit: 1 })).toHaveLength(1);
  });

  it('active shows what runs before what waits', async () => {
    const { convex, threadDocId, runId } = await queued();
    const second = await convex.mutation(api.runs.enqueue, { threadDocId, text: 'next' });
    await convex.mutation(api.runs.lease, {
      machineId: MACHINE,
      runId: second.runId,
      leaseMs: 1_000,
    });
    const rows = await convex.query(api.runs.active, {});
    expect(rows.map((row) => row._id)).toEqual([second.runId, runId]);
  });
});

function raise(message: string): never {
  throw new Error(message);
}

describe('a receipt', () => {
  it('is one run for a day, whoever asks again', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000_000_000 });
    const convex = backend();
    const threadDocId = await convex.mutation(api.threads.create, {});
    const asked = { threadDocId, text: 'build it', receipt: 'one' };
    const first = await convex.mutation(api.runs.enqueue, asked);
    expect(await convex.mutation(api.runs.enqueue, asked)).toEqual({ ...first, repeated: true });
    await expect(
      convex.mutation(api.runs.enqueue, { ...asked, text: 'build more' }),
    ).rejects.toThrow(/receipt_reused/);
    expect(await convex.query(api.runs.recent, {})).toHaveLength(1);
    vi.setSystemTime(1_000_000_000_000 + 24 * 60 * 60_000);
    expect((await convex.mutation(api.runs.enqueue, asked)).runId).not.toBe(first.runId);
    expect(await convex.query(api.runs.recent, {})).toHaveLength(2);
  });
});

describe('a run that waits', () => {
  it('can be given another text, with its message; one that has begun cannot', async () => {
    const { convex, runId, run, lease } = await queued();
    await convex.mutation(api.runs.edit, { runId, text: 'build it well' });
    const messageId = (await run())?.messageId ?? raise('no message');
    expect(await run()).toMatchObject({ text: 'build it well', status: 'pending' });
    expect(await convex.query(api.messages.byId, { id: messageId })).toMatchObject({
      text: 'build it well',
    });
    await expect(convex.mutation(api.runs.edit, { runId, text: ' ' })).rejects.toThrow(
      /text_empty/,
    );
    await expect(
      convex.mutation(api.runs.edit, { runId, text: 'x'.repeat(1_000_001) }),
    ).rejects.toThrow(/text_too_long/);
    await lease(MACHINE);
    await expect(convex.mutation(api.runs.edit, { runId, text: 'late' })).rejects.toThrow(
      /run_begun/,
    );
  });

  it('is withdrawn by an app; one that goes on is marked, for its bridge to end', async () => {
    const { convex, runId, run } = await queued();
    expect(await convex.mutation(api.runs.cancel, { runId })).toBe(true);
    expect(await run()).toMatchObject({ status: 'interrupted', error: 'It was withdrawn.' });
    expect(await convex.mutation(api.runs.cancel, { runId })).toBe(false);
    const other = await queued();
    await other.lease(MACHINE);
    expect(await other.convex.mutation(api.runs.cancel, { runId: other.runId })).toBe(true);
    expect(await other.run()).toMatchObject({
      status: 'processing',
      cancelRequestedAt: expect.any(Number),
    });
  });
});

describe('runs:progress', () => {
  it('says how far a run has come, to its end, and only for the machine that has it', async () => {
    const { convex, runId, run, lease } = await queued();
    const note = (machineId: string, progress: object) =>
      convex.mutation(api.runs.progress, { machineId, runId, progress });
    await note(MACHINE, { state: 'running' });
    expect((await run())?.state).toBeUndefined();
    await lease(MACHINE);
    const evidence = { what: 'output', at: 5 };
    await note(MACHINE, { state: 'stalled', evidence, pid: 7, holder: 'process 9' });
    await note('other', { state: 'running' });
    expect(await run()).toMatchObject({ state: 'stalled', evidence, pid: 7, holder: 'process 9' });
    await note(MACHINE, { state: 'running', evidence, pid: 7 });
    expect((await run())?.holder).toBeUndefined();
    await convex.mutation(api.runs.complete, { runId });
    await note(MACHINE, { state: 'running' });
    const ended = await run();
    expect(ended).toMatchObject({ status: 'done', evidence, endedAt: expect.any(Number) });
    expect([ended?.state, ended?.pid]).toEqual([undefined, undefined]);
  });
});

describe('a run of a project', () => {
  it('is for the machine that has the project, and its thread belongs to it', async () => {
    const convex = backend();
    const project = { id: 'site', name: 'Site', workingDir: '/w' };
    await convex.mutation(api.projects.upsertFromFs, { machineId: 'far', project });
    const threadDocId = await convex.mutation(api.threads.create, { machineId: 'near' });
    await convex.mutation(api.runs.enqueue, { threadDocId, text: 'x', projectId: 'site' });
    await convex.mutation(api.projects.upsertFromFs, { machineId: 'near', project });
    await convex.mutation(api.runs.enqueue, { threadDocId, text: 'y' });
    expect(await convex.query(api.runs.active, {})).toMatchObject([
      { text: 'x', machineId: 'far', projectId: 'site' },
      { text: 'y', machineId: 'near' },
    ]);
    expect(await convex.query(api.threads.byId, { id: threadDocId })).toMatchObject({
      projectId: 'site',
    });
  });
});
