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

describe('runs:lease', () => {
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
