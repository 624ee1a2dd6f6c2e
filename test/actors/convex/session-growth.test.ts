import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assign, createActor, setup, type AnyActor } from 'xstate';
import { sessionGrowth } from '../../../src/actors/convex/session-growth.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
let grown: number;
let watchers: AnyActor[];

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, 'rollout.jsonl');
  grown = 0;
  watchers = [];
});
afterEach(() => {
  for (const watcher of watchers) watcher.stop();
  folder[Symbol.dispose]();
});

/** At the shortest interval. */
function watch(pathOf: () => Promise<string | undefined>): AnyActor {
  const watching = setup({ actors: { growth: sessionGrowth(pathOf) } }).createMachine({
    context: {},
    invoke: { src: 'growth', input: { threadDocId: 'd1', sessionId: 's1', interval: 1 } },
    on: {
      'file.grew': {
        actions: assign(() => {
          grown += 1;
          return {};
        }),
      },
    },
  });
  const watcher = createActor(watching).start();
  watchers.push(watcher);
  return watcher;
}

/**
 * Another watcher has looked twice since now: each has at least begun to once. And nobody waits
 * for the file system any more: what is written next was not half seen.
 */
async function looked(): Promise<void> {
  let times = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const other = watch(() => {
    times += 1;
    if (times === 2) resolve();
    return Promise.resolve(undefined);
  });
  await promise;
  other.stop();
  await until(
    'all looks are over',
    () => !process.getActiveResourcesInfo().includes('FSReqPromise'),
  );
}

test('a file that grows is a sign of life, each time once', async () => {
  writeFileSync(path, 'one\n');
  watch(() => Promise.resolve(path));
  await looked();
  appendFileSync(path, 'two\n');
  await until('its growth is told', () => grown === 1);
  await looked();
  expect(grown).toBe(1);
});

test('a file that is written anew, as long or shorter, is none', async () => {
  writeFileSync(path, 'one\ntwo\n');
  watch(() => Promise.resolve(path));
  await looked();
  writeFileSync(path, 'ten\ntwo\n');
  await looked();
  writeFileSync(path, 'one\n');
  await looked();
  expect(grown).toBe(0);
});

test('a file that is not there yet, or cannot be told, is asked for until it is', async () => {
  const answers = [
    () => Promise.resolve(undefined),
    () => Promise.reject(new Error('Convex is away')),
  ];
  watch(async () => await (answers.shift() ?? (() => Promise.resolve(path)))());
  await until('it has asked', () => answers.length === 0);
  await looked();
  writeFileSync(path, 'one\n');
  await looked();
  appendFileSync(path, 'two\n');
  await until('its growth is told', () => grown === 1);
});

test('nobody is asked any more once it is stopped', async () => {
  let asked = 0;
  const watcher = watch(() => {
    asked += 1;
    return Promise.resolve(undefined);
  });
  await until('it has asked', () => asked > 0);
  watcher.stop();
  const last = asked;
  await looked();
  expect(asked).toBe(last);
});
