import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { createSightings } from '../../src/codex/sightings.ts';
import type { ThreadItem } from '../../src/codex/thread-item.ts';

setFlagsFromString('--expose-gc');
// Not among the types of a context's globals; it takes nothing and returns nothing.
const collectGarbage = runInNewContext('gc') as () => void;

const RUN = { runId: 'r', startedAt: 1_000 };
const NOW = 9_000;

function command(key: string, status: 'in_progress' | 'completed'): ThreadItem {
  const data = { command: 'cat big', output: `the output of ${key}`, status };
  return { key, kind: 'cmd', text: 'cat big', ts: 2_000, data };
}

const begun = command('run/r/0', 'in_progress');

test.each([
  ['the stream was first', ['begun', 'streamed', 'filed']],
  ['the file was first', ['filed', 'streamed']],
  ['the file came in between', ['begun', 'filed', 'streamed']],
])('what both sides have shown to its end is not kept: %s', async (_, order) => {
  const sightings = createSightings(RUN);
  const outputs: WeakRef<object>[] = [];
  const show = (side: string): void => {
    if (side === 'begun') {
      sightings.streamed([begun]);
      return;
    }
    const item = command(side === 'filed' ? 'turn/call' : 'run/r/0', 'completed');
    outputs.push(new WeakRef(item.data ?? {}));
    if (side === 'filed') sightings.filed([item]);
    else sightings.streamed([item]);
  };
  for (const side of order) show(side);
  // A WeakRef keeps what it was made for until the turn of the event loop ends.
  await nextTurn();
  collectGarbage();
  expect(outputs.map((output) => output.deref())).toEqual([undefined, undefined]);
  expect(sightings.leftover(NOW).filter(({ kind }) => kind === 'cmd')).toEqual([]);
});
