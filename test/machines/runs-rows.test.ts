import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import { outcomeOfTurn } from '../../src/machines/run-outcome.ts';
import { runsSummary } from '../../src/machines/runs.ts';
import { row, startKeeping, type Keeping } from '../support/keeping.ts';

let it: Keeping;
beforeEach(async () => {
  it = startKeeping();
  await it.serve();
});
afterEach(() => it.stop());

const submit = (threadDocId: string, text: string, requestId: string) =>
  it.request({ control: 'run.submit', threadDocId, text }, requestId);
const accepted = (runId: string, threadDocId = 'd1') => ({
  run: row(runId, { threadDocId }),
  threadId: threadDocId,
});
const phases = () => runsSummary(it.snapshot().context);
const preparing = () => it.preparations.map(({ input }) => input.run.runId);

describe('what apps do to rows in Convex', () => {
  test('a run that is withdrawn there, or taken by another machine, is none of ours any more', () => {
    const first = row('r1', { threadDocId: 'd' });
    const more = ['r2', 'r3'].map((id) => row(id, { threadDocId: 'd', createdAt: 2_000 }));
    it.rows([first, ...more]);
    it.rows([first, row('r3', { threadDocId: 'd', status: 'processing', machineId: 'm2' })]);
    expect(it.states('r2')).toEqual(['queued', 'interrupted']);
    expect(it.states('r3')).toEqual(['queued', 'interrupted']);
    expect(it.settlements).toEqual([]);
  });

  test('a run that was just submitted and is not listed yet is left in the queue', async () => {
    submit('d1', 'one', 'q1');
    await it.submissions[0]?.answer(accepted('r1'));
    submit('d1', 'two', 'q2');
    await it.submissions[1]?.answer(accepted('r2'));
    it.rows([]);
    expect(phases()).toMatchObject({ active: 1, queued: 1 });
  });

  test('a run that shall be cancelled is interrupted, once', async () => {
    const open = row('r1');
    await it.working(open);
    it.rows([{ ...open, status: 'processing', cancelled: true }]);
    it.rows([{ ...open, status: 'processing', cancelled: true }]);
    expect(it.processes.get('r1')?.signals).toEqual(['SIGINT']);
  });
});

describe('run.edit', () => {
  test('gives a run that waits another text; of one that has begun it is too late', async () => {
    it.rows([row('r1', { threadDocId: 'd' }), row('r2', { threadDocId: 'd', createdAt: 2_000 })]);
    it.request({ control: 'run.edit', runId: 'r2', text: 'better' }, 'q1');
    expect(it.edits[0]?.input).toEqual({ run: { runId: 'r2', threadDocId: 'd' }, text: 'better' });
    await it.edits[0]?.answer(null);
    expect(it.replyTo('q1')).toMatchObject({ type: 'bridge.run', runId: 'r2' });
    it.request({ control: 'run.edit', runId: 'r2', text: 'late' }, 'q2');
    await it.edits[1]?.answer(new BridgeError('run_begun', ''));
    expect(it.replyTo('q2')).toMatchObject({ code: 'conflict' });
    it.request({ control: 'run.edit', runId: 'r1', text: 'late' }, 'q3');
    expect(it.replyTo('q3')).toMatchObject({ code: 'conflict' });
    it.request({ control: 'run.edit', runId: 'none', text: 'x' }, 'q4');
    expect(it.replyTo('q4')).toMatchObject({ code: 'not_found' });
    expect(it.snapshot().context.edits).toEqual({});
  });
});

describe('a receipt', () => {
  const again = (id: string | number, requestId: string) =>
    it.request({ control: 'run.submit', id, threadDocId: 'd1', text: 'do it' }, requestId);

  test('is the id of a request that is a text; the same run is answered', async () => {
    again('mine', 'q1');
    expect(it.submissions[0]?.input).toMatchObject({ receipt: 'mine' });
    await it.submissions[0]?.answer(accepted('r1'));
    again('mine', 'q2');
    await it.submissions[1]?.answer(accepted('r1'));
    expect(it.replyTo('q2')).toMatchObject({ runId: 'r1', state: 'preparing' });
    expect(preparing()).toEqual(['r1']);
    again(7, 'q3');
    expect(it.submissions[2]?.input).not.toHaveProperty('receipt');
  });

  test('of a run that ended in an earlier life answers how it ended', async () => {
    again('mine', 'q1');
    const outcome = outcomeOfTurn('r1', { status: 'completed' });
    await it.submissions[0]?.answer({ ...accepted('r1'), outcome });
    expect(it.replyTo('q1')).toMatchObject({ runId: 'r1', state: 'completed' });
    expect(preparing()).toEqual([]);
  });

  test('that names another run is a conflict', async () => {
    again('mine', 'q1');
    await it.submissions[0]?.refuse(new BridgeError('receipt_reused', ''));
    expect(it.replyTo('q1')).toMatchObject({ code: 'conflict' });
  });
});

describe('how far a run has come', () => {
  test('is written with each change of its state, and with signs of life', async () => {
    await it.working(row('r1'));
    expect(it.progress.map(({ state }) => state)).toEqual([
      'preparing',
      'spawning',
      'running',
      'running',
    ]);
    const evidence = { what: 'it printed', at: 9 };
    it.send({ type: 'run.alive', runId: 'r1', facts: { evidence } });
    expect(it.progress.at(-1)).toMatchObject({ state: 'running', evidence });
    it.send({ type: 'run.alive', runId: 'none', facts: {} });
    expect(it.states('r1')).toHaveLength(5);
  });

  test('one that waits for its session gives up its place', async () => {
    it.rows([row('r1'), row('r2'), row('r3', { createdAt: 2_000 })]);
    expect(preparing()).toEqual(['r1', 'r2']);
    it.send({ type: 'run.changed', runId: 'r1', state: 'waiting', facts: { holder: 'process 9' } });
    expect(it.snapshot().context.book['r1']?.frame).toMatchObject({ holder: 'process 9' });
    it.rows([row('r1'), row('r2'), row('r3', { createdAt: 2_000 })]);
    expect(preparing()).toEqual(['r1', 'r2', 'r3']);
  });
});
