/** Whatever stands in a session file: exact text, or set aside with a reason. */
import { isUtf8 } from 'node:buffer';
import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  oneof,
  property,
  string,
  tuple,
  uint8Array,
  type Arbitrary,
} from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from '../../../src/actors/sessions/line-splitter.ts';
import { LongLine } from '../../../src/actors/sessions/long-line.ts';
import { readLine } from '../../../src/actors/sessions/read-line.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import type { QuarantinedLine } from '../../../src/machines/protocol.ts';
import { startSessions } from '../../support/sessions-harness.ts';
import { createSession } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Bytes, and the texts that must be read from them. */
interface Piece {
  bytes: Buffer;
  texts: string[];
}

/** In front of each text, so that it is known among whatever else is read. */
const MARK = 'text:';

const texts = oneof(
  string({ unit: 'binary', maxLength: 40 }),
  string({
    unit: constantFrom('\u2028', '\u0000', '\ud800', '😀', '"', '\\', '{"timestamp":', '\n', 'ö'),
    maxLength: 12,
  }),
  integer({ min: 1, max: 3_000 }).map((length) => 'long '.repeat(length)),
).map((text) => MARK + text);

/** What a line may have besides its text. */
const extras = constantFrom(
  '',
  ',"__proto__":{"polluted":true}',
  ',"constructor":{"prototype":1}',
  `,"deep":${'['.repeat(3_000)}${']'.repeat(3_000)}`,
  ',"again":{"timestamp":1},"list":[{"timestamp":2},{"timestamp":3}]',
  ',"type":"agent_message"',
);

function lineOf(text: string, extra = ''): Buffer {
  const payload = `{"type":"agent_message","message":${JSON.stringify(text)}${extra}}`;
  return Buffer.from(
    `{"timestamp":"2026-01-02T00:00:00Z","ordinal":7,"type":"event_msg","payload":${payload}}`,
  );
}

const whole = tuple(texts, extras).map(([text, extra]): Piece => ({
  bytes: lineOf(text, extra),
  texts: [text.toWellFormed()],
}));
/** Never all of it. */
const tornFrom = (shortest: number): Arbitrary<Piece> =>
  tuple(whole, integer({ min: shortest, max: 300 })).map(([{ bytes }, length]) => ({
    bytes: bytes.subarray(0, Math.min(length, bytes.length - 1)),
    texts: [],
  }));
const torn = tornFrom(1);
/** Behind a whole line it must be seen to be the beginning of another. */
const tornBehind = tornFrom('{"timestamp":"'.length);
const garbage = oneof(
  uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10))),
  constantFrom(
    '\0'.repeat(50),
    '{}',
    '[1]',
    'null',
    '"text"',
    `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
    `{"timestamp":"x","type":"event_msg","payload":${'{"a":'.repeat(10_001)}1${'}'.repeat(10_002)}`,
    '{"type":"event_msg","payload":{"type":"of tomorrow"}}',
    '{"type":"event_msg","payload":{"type":"agent_message","message":7}}',
    '   ',
  ).map((text) => Buffer.from(text)),
).map((bytes): Piece => ({ bytes, texts: [] }));

const glued = (pieces: Arbitrary<Piece>[]): Arbitrary<Piece> =>
  tuple(...pieces).map((all) => ({
    bytes: Buffer.concat(all.map(({ bytes }) => bytes)),
    texts: all.flatMap(({ texts: found }) => found),
  }));

const line = oneof(
  { weight: 4, arbitrary: whole },
  { weight: 2, arbitrary: garbage },
  { weight: 1, arbitrary: torn },
  { weight: 2, arbitrary: glued([torn, whole]) },
  { weight: 1, arbitrary: glued([whole, whole]) },
  { weight: 1, arbitrary: glued([torn, torn, whole, tornBehind, whole]) },
);
const content = tuple(
  constantFrom('', '\uFEFF'),
  array(tuple(line, constantFrom('\n', '\r\n')), { maxLength: 12 }),
  oneof(constant<Piece>({ bytes: Buffer.alloc(0), texts: [] }), torn),
).map(([mark, lines, tail]) => ({
  bytes: Buffer.concat([
    Buffer.from(mark),
    ...lines.flatMap(([{ bytes }, end]) => [bytes, Buffer.from(end)]),
    tail.bytes,
  ]),
  texts: lines.flatMap(([{ texts: found }]) => found),
  tornBytes: tail.bytes.length + (lines.length === 0 ? Buffer.byteLength(mark) : 0),
}));

test(
  'every text is read as it is, every other byte is set aside, and none is forgotten',
  { timeout: 120_000 },
  () => {
    assert(
      property(
        content,
        constantFrom(0, 100, 1_000, Number.POSITIVE_INFINITY),
        integer({ min: 1, max: 5_000 }),
        ({ bytes, texts: expected, tornBytes }, maxLength, chunk) => {
          const { items, quarantine, position, complete } = read(bytes, maxLength, chunk);
          expect(readTexts(items)).toEqual(expected);
          expect(position).toBe(bytes.length);
          expect(complete).toBe(bytes.length - tornBytes);
          checkQuarantine(bytes.subarray(0, complete), quarantine);
        },
      ),
      { seed: 20_261_124, numRuns: 500 },
    );
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  },
);

function read(bytes: Buffer, maxLength: number, chunk: number) {
  const reader = createRolloutReader({ path: 'rollout.jsonl' });
  const splitter = new LineSplitter(0, maxLength, (offset) => new LongLine(offset));
  const items: ThreadItem[] = [];
  const quarantine: QuarantinedLine[] = [];
  let complete = 0;
  for (let at = 0; at < bytes.length; at += chunk) {
    for (const split of splitter.push(Buffer.from(bytes.subarray(at, at + chunk)))) {
      const result = readLine(reader, split, 1);
      items.push(...result.items);
      quarantine.push(...result.quarantine);
      complete = split.offset + split.length;
    }
  }
  return { items, quarantine, position: splitter.position, complete };
}

const readTexts = (items: readonly ThreadItem[]) =>
  items.flatMap(({ text }) => (text?.startsWith(MARK) === true ? [text] : []));

/** What is set aside is what it says; what is not, is whole JSON objects and blanks. */
function checkQuarantine(bytes: Buffer, quarantine: readonly QuarantinedLine[]): void {
  let at = 0;
  for (const { offset, length, sha256, reason } of [...quarantine, null].map(
    (entry) => entry ?? { offset: bytes.length, length: 0, sha256: '', reason: 'end' },
  )) {
    expect(offset).toBeGreaterThanOrEqual(at);
    expect(reason).not.toBe('');
    expect(areWhole(bytes.subarray(at, offset))).toBe(true);
    at = offset + length;
    if (length === 0) continue;
    const end = bytes[at - 1] === 10 ? at - 1 : at;
    expect(sha256).toBe(createHash('sha256').update(bytes.subarray(offset, end)).digest('hex'));
  }
  expect(at).toBe(bytes.length);
}

/** One or more JSON objects with or without newlines between them. */
function areWhole(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false;
  return bytes
    .toString()
    .replace(/^\uFEFF/, '')
    .split(/\r?\n|(?<=\})(?=\{"timestamp":"2026)/)
    .every((text) => text.trim() === '' || isObject(text));
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

test(
  'no content of one file holds another up, also where two name the same thread',
  { timeout: 120_000 },
  async () => {
    await assert(
      asyncProperty(content, content, async (one, other) => {
        using folder = temporaryFolder();
        const root = join(folder.path, 'sessions');
        const healthy = createSession(folder.path);
        healthy.assistant('healthy');
        const threadId = randomUUID();
        const twins = [one, other].map(({ bytes }, n) => {
          const path = join(
            root,
            '2026',
            '01',
            `0${n + 1}`,
            `rollout-2026-01-02T00-00-0${n}-${threadId}.jsonl`,
          );
          mkdirSync(join(path, '..'), { recursive: true });
          writeFileSync(
            path,
            '{"timestamp":"2026-01-02T00:00:00Z","type":"session_meta","payload":{"id":"x"}}\n'.replace(
              '"x"',
              `"${threadId}"`,
            ),
          );
          appendFileSync(path, bytes);
          return path;
        });
        await using watch = startSessions({ root });
        await watch.until(() => watch.mirror.cursors.size === 3);
        await watch.settled();
        expect(watch.mirror.texts(healthy.threadId)).toEqual(['healthy']);
        // Keys of repeated texts count within a file: the same text in both is one row.
        const rows = [...(watch.mirror.threads.get(threadId)?.values() ?? [])];
        expect(new Set(readTexts(rows))).toEqual(new Set([...one.texts, ...other.texts]));
        expect(watch.status().bytes.pending).toBe(one.tornBytes + other.tornBytes);
        const healthyOffset = watch.mirror.cursors.get(healthy.path)?.quarantine;
        expect(healthyOffset).toEqual([]);
        expect(twins.map((path) => watch.mirror.cursors.has(path))).toEqual([true, true]);
      }),
      { seed: 20_261_124, numRuns: 40 },
    );
  },
);
