import type { FunctionArgs } from 'convex/server';
import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { backend, MACHINE } from './backend.ts';

type Recorded = FunctionArgs<typeof api.approvals.record>;

/** A run that waits for an approval. */
async function asked() {
  const convex = backend();
  const threadDocId = await convex.mutation(api.threads.create, {});
  const { runId } = await convex.mutation(api.runs.enqueue, { threadDocId, text: 'touch it' });
  await convex.mutation(api.runs.lease, { machineId: MACHINE, runId, leaseMs: 60_000 });
  const record = (fields: Pick<Recorded, 'state'> & Partial<Recorded>) =>
    convex.mutation(api.approvals.record, {
      approvalId: `${runId}.0`,
      runId,
      threadDocId,
      kind: 'command',
      turnId: 'turn',
      itemId: 'item',
      requestedAt: 1,
      expiresAt: 2,
      ...fields,
    });
  await record({ state: 'open' });
  const row = async () =>
    (await convex.query(api.approvals.listForThread, { threadDocId })).map(
      ({ state, decision, explanation }) => ({ state, decision, explanation }),
    );
  const end = () => convex.mutation(api.runs.complete, { runId, exitCode: 0 });
  return { record, row, end };
}

const accepted = { state: 'answered', decision: 'accept', decidedBy: 'client-1' } as const;

describe('approvals:record', () => {
  it('keeps what was decided: an older state that comes once more changes nothing', async () => {
    const { record, row } = await asked();
    await record(accepted);
    await record({ state: 'open' });
    await record({ state: 'expired', decision: 'decline' });
    expect(await row()).toMatchObject([{ state: 'answered', decision: 'accept' }]);
  });

  it('takes an answer that the end of the run has overtaken, and nothing else', async () => {
    const { record, row, end } = await asked();
    await end();
    await record({ state: 'open' });
    await record({ state: 'withdrawn' });
    expect(await row()).toMatchObject([
      { state: 'withdrawn', explanation: expect.stringContaining('before anybody answered') },
    ]);
    await record(accepted);
    expect(await row()).toEqual([
      { state: 'answered', decision: 'accept', explanation: undefined },
    ]);
  });
});
