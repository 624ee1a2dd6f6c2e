import { appendFileSync, closeSync, globSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LineSplitter } from '../../../src/actors/sessions/line-splitter.ts';
import { LongLine } from '../../../src/actors/sessions/long-line.ts';
import { readLine, type LineResult } from '../../../src/actors/sessions/read-line.ts';
import { MAX_ITEM_BYTES } from '../../../src/codex/bounded-item.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { startSessions } from '../../support/sessions-harness.ts';
import { createSession, type SessionWriter } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MIB = 1024 * 1024;

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
let session: SessionWriter;

beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'sessions');
  session = createSession(folder.path);
  session.user('before');
});
afterEach(() => folder[Symbol.dispose]());

/** All lines longer than `maxLength` are condensed. */
function read(bytes: Buffer, maxLength: number, chunk = 64 * 1024): LineResult {
  const reader = createRolloutReader({ path: 'rollout.jsonl' });
  const splitter = new LineSplitter(0, maxLength, (offset) => new LongLine(offset));
  const result: LineResult = { items: [], quarantine: [] };
  for (let at = 0; at < bytes.length; at += chunk) {
    for (const line of splitter.push(Buffer.from(bytes.subarray(at, at + chunk)))) {
      const { items, quarantine } = readLine(reader, line, 1);
      result.items.push(...items);
      result.quarantine.push(...quarantine);
    }
  }
  return result;
}

const withoutPointers = (items: readonly ThreadItem[]) =>
  items.map((item) =>
    Object.fromEntries(Object.entries(item).filter(([key]) => key !== 'truncated')),
  );

const recorded = globSync('**/rollout.jsonl', {
  cwd: fileURLToPath(new URL('../../fixtures/codex', import.meta.url)),
});

test.each(recorded)('%s gives the same items when each line is read as a long one', (name) => {
  const bytes = readFileSync(new URL(`../../fixtures/codex/${name}`, import.meta.url));
  const whole = read(bytes, Number.POSITIVE_INFINITY);
  const condensed = read(bytes, 0, 1_000);
  expect(withoutPointers(condensed.items)).toEqual(withoutPointers(whole.items));
  expect(condensed.quarantine).toEqual(whole.quarantine);
});

/** Payloads of the older generations have no ids: their keys are made of all their content. */
const long = (length: number) => 'A "long" text\n\u001b[0m of ö and 😀. '.repeat(length / 30);
test.each([
  [
    'a prompt of 2025',
    { type: 'user_message', message: long(2 * MIB), kind: 'plain' },
    'event_msg',
  ],
  [
    'a command with its output',
    {
      type: 'item_completed',
      turn_id: 't',
      item: {
        type: 'CommandExecution',
        id: 'call_1',
        command: ['cat', 'log'],
        status: 'completed',
        exit_code: 3,
        aggregated_output: long(3 * MIB),
      },
    },
    'event_msg',
  ],
  [
    'a file that was written',
    {
      type: 'item_completed',
      turn_id: 't',
      item: {
        type: 'FileChange',
        id: 'call_2',
        changes: { 'a.txt': { type: 'add', content: long(MIB) } },
        status: 'completed',
      },
    },
    'event_msg',
  ],
  [
    'the result of a tool',
    {
      type: 'item_completed',
      turn_id: 't',
      item: {
        type: 'McpToolCall',
        id: 'call_3',
        server: 's',
        tool: 't',
        arguments: {},
        result: {
          content: Array.from({ length: 50_000 }, (_, n) => ({ type: 'text', text: `${n}` })),
        },
        status: 'completed',
      },
    },
    'event_msg',
  ],
])('%s becomes a row under the key of a full reading, with a pointer', (_, payload, type) => {
  const before = Buffer.from(
    `${JSON.stringify({ timestamp: '2026-01-01T00:00:00Z', type: 'world_state', payload: {} })}\n`,
  );
  const line = JSON.stringify({ timestamp: '2026-01-02T00:00:00Z', type, payload });
  const bytes = Buffer.concat([before, Buffer.from(`${line}\n`)]);
  const [whole] = read(bytes, Number.POSITIVE_INFINITY).items;
  const { items, quarantine } = read(bytes, 512 * 1024);
  expect(quarantine).toEqual([]);
  expect(items).toHaveLength(1);
  const [item] = items;
  expect(item).toMatchObject({ key: whole?.key, kind: whole?.kind, ts: whole?.ts });
  expect(whole?.text?.startsWith(item?.text ?? '')).toBe(true);
  expect(item?.truncated).toEqual({
    bytes: Buffer.byteLength(line) + 1,
    path: 'rollout.jsonl',
    offset: before.length,
  });
  expect(Buffer.byteLength(JSON.stringify(item))).toBeLessThan(1.5 * MAX_ITEM_BYTES);
  expect(JSON.stringify(item).length).toBeGreaterThan(100_000);
});

test('a call whose input is long stays bounded when its short output completes it', () => {
  const line = (payload: object) =>
    `${JSON.stringify({ timestamp: '2026-01-02T00:00:00Z', type: 'response_item', payload })}\n`;
  const call = { type: 'custom_tool_call', call_id: 'c', name: 'exec', input: long(2 * MIB) };
  const output = { type: 'custom_tool_call_output', call_id: 'c', output: 'done' };
  for (const maxLength of [512 * 1024, 4 * MIB]) {
    const { items } = read(Buffer.from(line(call) + line(output)), maxLength);
    expect(items.map(({ key, data }) => [key, data?.['status']])).toEqual([
      ['c', 'in_progress'],
      ['c', 'completed'],
    ]);
    expect(items[1]?.truncated).toMatchObject({ offset: 0 });
    expect(JSON.stringify(items[1]).length).toBeLessThan(1.5 * MAX_ITEM_BYTES);
  }
});

test('an image of megabytes is named by type, length and hash, and the text beside it kept', () => {
  const content = Buffer.alloc(2 * MIB, 'picture');
  const image = {
    mime: 'image/png',
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  };
  const url = `data:image/png;base64,${content.toString('base64')}`;
  const line = `${JSON.stringify({
    timestamp: '2026-01-02T00:00:00Z',
    type: 'event_msg',
    payload: { type: 'user_message', message: 'see this', images: [url] },
  })}\n`;
  const { items } = read(Buffer.from(line), 512 * 1024);
  expect(items).toMatchObject([{ text: 'see this', data: { images: [image] } }]);
  expect(withoutPointers(items)).toEqual(
    withoutPointers(read(Buffer.from(line), Number.POSITIVE_INFINITY).items),
  );
});

test('in a long line that holds several, each whole one is read and the torn ones are set aside', () => {
  const whole = (text: string) =>
    JSON.stringify({
      timestamp: '2026-01-02T00:00:00Z',
      type: 'event_msg',
      payload: { type: 'agent_message', message: `${text} ${'ü'.repeat(400_000)}` },
    });
  const torn = Buffer.from(whole('torn')).subarray(0, 300_001);
  const first = Buffer.from(whole('first'));
  const second = Buffer.from(whole('second'));
  for (const chunk of [1_000, 64 * 1024, 10 * MIB]) {
    const bytes = Buffer.concat([torn, first, torn, second, Buffer.from('\n')]);
    const { items, quarantine } = read(bytes, 512 * 1024, chunk);
    expect(items.map(({ text }) => text?.slice(0, 7))).toEqual(['first ü', 'second ']);
    expect(items.map(({ truncated }) => truncated?.offset)).toEqual([
      torn.length,
      2 * torn.length + first.length,
    ]);
    const sha256 = createHash('sha256').update(torn).digest('hex');
    expect(quarantine).toMatchObject([
      { offset: 0, length: torn.length, sha256 },
      { offset: torn.length + first.length, length: torn.length, sha256 },
    ]);
  }
});

test('a torn line that was already nesting does not swallow the one glued to it', () => {
  const whole = JSON.stringify({
    timestamp: '2026-01-02T00:00:00Z',
    type: 'event_msg',
    payload: { type: 'agent_message', message: 'x'.repeat(2_000) },
  });
  const torn = '{"timestamp":"2026-01-02T00:00:00Z","type":"event_msg","payload":';
  for (const maxLength of [0, MIB]) {
    const { items, quarantine } = read(Buffer.from(`${torn}${whole}\n`), maxLength);
    expect(items.map(({ text }) => text?.length)).toEqual([2_000]);
    expect(quarantine).toMatchObject([{ offset: 0, length: torn.length }]);
  }
});

test(
  'a line of 50 MB becomes a row, and the file goes on behind it',
  { timeout: 60_000 },
  async () => {
    const text = long(50 * MIB);
    session.assistant(text);
    session.assistant('after');
    await using watch = startSessions({ root });
    await watch.until(() => watch.mirror.texts(session.threadId).length === 3);
    await watch.settled();
    const [, row, after] = watch.mirror.texts(session.threadId);
    expect(text.startsWith(row ?? '')).toBe(true);
    expect(Buffer.byteLength(row ?? '')).toBeGreaterThan(MAX_ITEM_BYTES / 2);
    expect(after).toBe('after');
    expect(watch.status()).toMatchObject({ items: { rejected: 0 }, bytes: { pending: 0 } });
  },
);

test('a line of 200 MB takes no more memory than one of 50 MB', { timeout: 120_000 }, async () => {
  const reader = fileURLToPath(new URL('../../support/read-session/main.ts', import.meta.url));
  const peakOf = async (megabytes: number) => {
    const path = join(folder.path, `rollout-${megabytes}.jsonl`);
    writeLongLine(path, megabytes);
    const { stdout } = await execa(process.execPath, [reader, path]);
    return JSON.parse(stdout) as { items: number; maxRss: number };
  };
  // By then a process has as much garbage as it ever has at once.
  const large = await peakOf(50);
  const huge = await peakOf(200);
  expect([large.items, huge.items]).toEqual([1, 1]);
  // Kilobytes. What the one line has more than the other would be 150,000.
  expect(huge.maxRss - large.maxRss).toBeLessThan(60_000);
});

function writeLongLine(path: string, megabytes: number): void {
  const file = openSync(path, 'w');
  writeSync(
    file,
    '{"timestamp":"2026-01-02T00:00:00Z","type":"event_msg","payload":{"type":"agent_message","message":"',
  );
  const piece = Buffer.alloc(MIB, 'words and \\n lines, ');
  for (let n = 0; n < megabytes; n += 1) writeSync(file, piece);
  writeSync(file, '."}}\n');
  closeSync(file);
}

test('a torn long line is set aside when its newline comes, and the next line is read', async () => {
  const line = session.draft(() => session.assistant(long(MIB)));
  appendFileSync(session.path, `${line.slice(0, 900_000)}\n`);
  session.assistant('after');
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.settled();
  expect(watch.mirror.texts(session.threadId)).toEqual(['before', 'after']);
  expect(watch.mirror.cursors.get(session.path)?.quarantine).toMatchObject([
    { reason: 'not JSON: it ends too early' },
  ]);
});
