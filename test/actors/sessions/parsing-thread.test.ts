import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileParser, type LineParser } from '../../../src/actors/sessions/line-parser.ts';
import { ParsingThread } from '../../../src/actors/sessions/parsing-thread.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION } from '../../../src/codex/rollout/rollout-reader.ts';
import { writeRealisticSession } from '../../../bench/material/realistic-session.ts';
import { BridgeError } from '../../../src/errors.ts';
import { startSessions, type SessionsHarness } from '../../support/sessions-harness.ts';
import { createSession } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
const told: boolean[] = [];
const thread = new ParsingThread((isThere) => told.push(isThere));

beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'sessions');
});

afterEach(() => folder[Symbol.dispose]());

test('a file parsed in the thread gives what it gives here', async () => {
  const { path } = session(400_000);
  const bytes = readFileSync(path);
  const here = new FileParser(createRolloutReader({ path }), PARSER_VERSION);
  const there = thread.parser(path);
  expect(there.state).toEqual(here.state);
  expect(await parse(there, bytes)).toEqual(await parse(here, bytes));
  expect(there.state).toEqual(here.state);
  there.close();
});

test('lines before the place to go on from give no items, but count', async () => {
  const { path } = session(100_000);
  const bytes = readFileSync(path);
  const whole = thread.parser(path);
  const all = await whole.push(Buffer.from(bytes), 0);
  const from = all.places[20]?.offset ?? 0;
  const rest = thread.parser(path);
  const { items } = await rest.push(Buffer.from(bytes), from);
  expect(items).toEqual(all.items.slice(all.places.findIndex(({ offset }) => offset >= from)));
  expect(rest.state).toEqual(whole.state);
  whole.close();
  rest.close();
});

test('the beginning of a line that was dropped may come again, and differently', async () => {
  const written = createSession(folder.path);
  written.user('one');
  const bytes = readFileSync(written.path);
  const parser = thread.parser(written.path);
  await parser.push(Buffer.concat([bytes, Buffer.from('{"timestamp":"20')]), 0);
  expect(parser.state.position).toBe(bytes.length + 16);
  parser.dropTorn();
  expect(parser.state.position).toBe(bytes.length);
  const more = written.draft((draft) => draft.user('two'));
  const { items } = await parser.push(Buffer.from(more), 0);
  expect(items.map(({ text }) => text)).toContain('two');
  parser.close();
});

test('history read by way of the thread is all there, whatever happens to the file meanwhile', async () => {
  const large = session(3_000_000);
  const parsing = new ParsingThread();
  await using watch = startSessions({ root, openParser: ({ path }) => parsing.parser(path) });
  await watch.until(() => watch.mirror.jobs.length === 1);
  const bytes = readFileSync(large.path);
  truncateSync(large.path, 1_000);
  writeFileSync(large.path, bytes);
  await everything(watch);

  const here = new FileParser(createRolloutReader({ path: large.path }), PARSER_VERSION);
  const { items } = await parse(here, bytes);
  const rows = watch.mirror.threads.get(large.threadId);
  expect([...(rows?.keys() ?? [])]).toEqual([...new Set(items.map(({ key }) => key))]);
});

test('a thread that crashes fails those who were reading, and the next one reads again', async () => {
  const { path } = session(100_000);
  const bytes = readFileSync(path);
  const closed = thread.parser(path);
  closed.close();
  const reading = thread.parser(path);
  // The thread knows nothing of a parser that was closed.
  void closed.push(Buffer.from(bytes), 0);
  await expect(reading.push(Buffer.from(bytes), 0)).rejects.toMatchObject({
    code: 'session_unreadable',
  });
  expect(told.slice(-2)).toEqual([true, false]);
  const again = thread.parser(path);
  expect(told.at(-1)).toBe(true);
  expect((await again.push(Buffer.from(bytes), 0)).items.length).toBeGreaterThan(0);
  again.close();
});

test('whose parser is lost in the middle of a file reads it again from its start', async () => {
  const { path, threadId } = session(2_000_000);
  let left = 3;
  await using watch = startSessions({
    root,
    openParser: () => {
      const parser = new FileParser(createRolloutReader({ path }), PARSER_VERSION);
      const push: LineParser['push'] = async (chunk, from) => {
        left -= 1;
        if (left === 0) throw new BridgeError('session_unreadable', 'the parser is lost');
        return parser.push(chunk, from);
      };
      return {
        push,
        get state() {
          return parser.state;
        },
        dropTorn: () => parser.dropTorn(),
        close: () => {},
      };
    },
  });
  await watch.until(() => watch.status().lastError?.includes('the parser is lost') === true);
  await everything(watch);
  const here = new FileParser(createRolloutReader({ path }), PARSER_VERSION);
  const { items } = await parse(here, readFileSync(path));
  expect(watch.mirror.threads.get(threadId)?.size).toBe(new Set(items.map(({ key }) => key)).size);
});

function session(bytes: number) {
  return writeRealisticSession(folder.path, { at: new Date(), bytes, seed: 7 });
}

/** In chunks, as a reader does. */
async function parse(parser: LineParser, bytes: Buffer) {
  const all = [];
  for (let at = 0; at < bytes.length; at += 100_000) {
    all.push(await parser.push(Buffer.from(bytes.subarray(at, at + 100_000)), 0));
  }
  return {
    items: all.flatMap(({ items }) => items),
    places: all.flatMap(({ places }) => places),
    quarantine: all.flatMap(({ quarantine }) => quarantine),
  };
}

async function everything(watch: SessionsHarness): Promise<void> {
  await watch.until(() => watch.status().files.behind === 0 && watch.status().files.known > 0);
  await watch.settled();
}
