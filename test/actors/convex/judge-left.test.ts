import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { judgeLeft } from '../../../src/actors/convex/judge-left.ts';
import type { OpenRun } from '../../../src/machines/run-events.ts';
import { openRun } from '../../support/running.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const STARTED_AT = Date.parse('2026-11-26T10:00:00.000Z');
const left: OpenRun = { ...openRun, status: 'processing', sessionId: 's1', startedAt: STARTED_AT };
const interrupted = {
  state: 'interrupted',
  error: {
    code: 'run_interrupted',
    message: 'The run was interrupted: the bridge ended while it went on',
  },
};

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, 'rollout.jsonl');
});
afterEach(() => folder[Symbol.dispose]());

/** A line of the session file, so many seconds after the run was taken. */
function line(seconds: number, payload: object): string {
  const timestamp = new Date(STARTED_AT + seconds * 1_000).toISOString();
  return `${JSON.stringify({ timestamp, type: 'event_msg', payload })}\n`;
}
const began = (seconds: number) => line(seconds, { type: 'task_started', turn_id: 't' });
const ended = (seconds: number, more: object = {}) =>
  line(seconds, { type: 'task_complete', turn_id: 't', ...more });

async function judged(lines: string[], run: OpenRun = left) {
  writeFileSync(path, lines.join(''));
  const pathOf = () => Promise.resolve(path);
  return await toPromise(createActor(judgeLeft(pathOf), { input: run }).start());
}

test('a run whose turn came to its end in the file is done', async () => {
  expect(await judged([began(1), ended(2)])).toEqual({
    runId: 'r1',
    state: 'completed',
    exitCode: null,
    signal: null,
  });
});

test.each([{ message: 'no credit' }, 'no credit'])(
  'a run whose turn failed in the file has failed, in its words: %j',
  async (error) => {
    expect(await judged([began(1), ended(2, { error })])).toMatchObject({
      state: 'failed',
      error: { code: 'codex_failed', message: 'Codex ended with an error: no credit' },
    });
  },
);

test.each([
  ['has no end', [began(1)]],
  ['was aborted', [began(1), line(2, { type: 'turn_aborted', reason: 'interrupted' })]],
  ['has its end torn', [began(1), ended(2).slice(0, 40)]],
  ['was another one, before it', [began(-5), ended(-2)]],
  ['was another one, that ended later', [began(-5), ended(2)]],
])('a run whose turn %s was interrupted with the bridge', async (_, lines) => {
  expect(await judged(lines)).toMatchObject(interrupted);
});

test('what somebody did in the session afterwards is not the run', async () => {
  const after = [began(60), ended(61, { error: 'of somebody else' })];
  expect(await judged([began(1), ended(2), ...after])).toMatchObject({ state: 'completed' });
  const aborted = line(2, { type: 'turn_aborted' });
  expect(await judged([began(1), aborted, began(60), ended(61)])).toMatchObject(interrupted);
  expect(await judged([began(1), began(60), ended(61)])).toMatchObject(interrupted);
});

test('lines that mean nothing are passed over, also those that look like one that counts', async () => {
  const noise = ['{"task_started"\n', `"task_complete"\n`, '\u0000\n', line(1, { type: 'new' })];
  expect(await judged([...noise, began(1), ...noise, ended(2)])).toMatchObject({
    state: 'completed',
  });
});

test('a run without a session, or whose file is not there, was interrupted', async () => {
  const { sessionId: _, ...sessionless } = left;
  expect(await judged([began(1), ended(2)], sessionless)).toMatchObject(interrupted);
  for (const pathOf of [
    () => Promise.resolve(undefined),
    () => Promise.resolve(join(folder.path, 'gone.jsonl')),
    () => Promise.reject(new Error('Convex is away')),
  ]) {
    const outcome = toPromise(createActor(judgeLeft(pathOf), { input: left }).start());
    expect(await outcome).toMatchObject(interrupted);
  }
});
