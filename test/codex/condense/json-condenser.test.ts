import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import {
  array,
  assert,
  constantFrom,
  dictionary,
  double,
  integer,
  json,
  letrec,
  oneof,
  property,
  string,
  tuple,
  uint8Array,
} from 'fast-check';
import { expect, test } from 'vitest';
import { JsonCondenser } from '../../../src/codex/condense/json-condenser.ts';
import { readStandIn } from '../../../src/codex/condense/stand-in.ts';
import { parseJson } from '../../../src/codex/parse-json.ts';

const RUNS = { seed: 20_261_124, numRuns: 500 };

const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

function condense(bytes: Buffer | string, pieces: readonly number[] = [64 * 1024]): JsonCondenser {
  const whole = Buffer.from(bytes);
  const condenser = new JsonCondenser();
  for (let at = 0, n = 0; at < whole.length; n += 1) {
    const length = pieces[n % pieces.length] ?? 1;
    condenser.push(Buffer.from(whole.subarray(at, at + length)));
    at += length;
  }
  return condenser;
}

const pieces = array(integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 });
const text = oneof(
  string({ unit: 'binary' }),
  string({ unit: constantFrom('"', '\\', '/', '\n', '\u0001', '\u2028', '\ud83d', '😀', 'ö') }),
);
/** Not of digits alone: JavaScript would move such a field. */
const name = text.map((tail) => `k${tail}`);
const { value } = letrec((tie) => ({
  value: oneof(
    { maxDepth: 4 },
    text,
    integer(),
    double({ noNaN: true, noDefaultInfinity: true }),
    constantFrom(null, true, false),
    array(tie('value'), { maxLength: 4 }),
    dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
}));

/** As other programs write JSON: with blanks, and with everything escaped that can be. */
function spelledOut(whole: unknown): string {
  return JSON.stringify(whole, null, 2)
    .replaceAll('/', '\\/')
    .replaceAll(
      /[\u007f-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
    );
}

test('what is small comes out as it went in, however it is spelled and cut into pieces', () => {
  assert(
    property(value, pieces, constantFrom(JSON.stringify, spelledOut), (payload, cuts, spell) => {
      const line = spell({ timestamp: '2026-01-01', type: 'x', payload, metadata: { a: 1 } });
      const condenser = condense(line, cuts);
      expect(condenser.state).toBe('complete');
      const expected = parseJson(line) as { payload: unknown };
      const { text: condensed, sha256: hash } = condenser.end();
      expect(condensed).toBe(JSON.stringify(expected));
      expect(hash).toBe(sha256(JSON.stringify(expected.payload)));
    }),
    RUNS,
  );
});

test('exactly what JSON.parse takes for an object is complete', () => {
  const mangled = tuple(json(), integer({ min: 0, max: 200 }), uint8Array({ maxLength: 3 })).map(
    ([text, at, bytes]) => {
      const line = Buffer.from(`{"payload":${text},"a":[1,-2.5e3,true]}`);
      return Buffer.concat([line.subarray(0, at), bytes, line.subarray(at + bytes.length)]);
    },
  );
  assert(
    property(
      oneof(
        mangled,
        uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
      pieces,
      (bytes, cuts) => {
        const condenser = condense(bytes, cuts);
        expect(condenser.state === 'complete').toBe(isObject(bytes));
      },
    ),
    { ...RUNS, numRuns: 3_000 },
  );
});

function isObject(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false;
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}

test.each([
  ['characters of several bytes', 'ö😀\u2028', 5],
  ['escapes', '\\"\n\t', 7],
  ['control characters', '\u001b[0m', 3],
])('a long string of %s is cut between two of them', (_, unit, pad) => {
  const long = 'x'.repeat(pad) + unit.repeat(400_000);
  const condenser = condense(JSON.stringify({ payload: { long, exitCode: 7 } }));
  const { text: condensed, sha256: hash } = condenser.end();
  const { payload } = JSON.parse(condensed) as { payload: { long: string; exitCode: number } };
  expect(payload.exitCode).toBe(7);
  expect(long.startsWith(payload.long)).toBe(true);
  expect(payload.long.length).toBeGreaterThan(30_000);
  expect(condensed.length).toBeLessThan(300_000);
  expect(hash).toBe(sha256(JSON.stringify({ long, exitCode: 7 })));
});

test.each([
  ['list', { list: Array.from({ length: 400_000 }, (_, n) => n) }],
  ['list of texts', { list: Array.from({ length: 40 }, () => 'y'.repeat(300_000)) }],
  [
    'object',
    Object.fromEntries(Array.from({ length: 300_000 }, (_, n) => [`key${n}`, `value ${n}`])),
  ],
])('a long %s ends early, and what comes behind it is kept', (_, content) => {
  const line = JSON.stringify({ type: 't', payload: { type: 'p', content, id: 'last' } });
  const condenser = condense(line);
  const { text: condensed, sha256: hash } = condenser.end();
  expect(JSON.parse(condensed)).toMatchObject({ type: 't', payload: { type: 'p', id: 'last' } });
  expect(Buffer.byteLength(condensed)).toBeLessThan(1_600_000);
  expect(hash).toBe(sha256(JSON.stringify({ type: 'p', content, id: 'last' })));
});

test('long base64 content becomes what it is: type, length and hash', () => {
  const content = Buffer.from(Array.from({ length: 700_001 }, (_, n) => (n * n) % 251));
  const base64 = content.toString('base64');
  const line = JSON.stringify({
    payload: {
      url: `data:image/png;base64,${base64}`,
      data: base64.replaceAll('/', '\\/'),
      note: base64,
    },
  }).replaceAll('\\\\/', '\\/');
  const { payload } = JSON.parse(condense(line, [999]).end().text) as {
    payload: Record<'url' | 'data' | 'note', string>;
  };
  const image = { bytes: content.length, sha256: sha256(content) };
  expect(readStandIn(payload.url)).toEqual({ mime: 'image/png', ...image });
  expect(readStandIn(payload.data, 'image/jpeg')).toEqual({ mime: 'image/jpeg', ...image });
  expect(base64.startsWith(payload.note)).toBe(true);
});

test('nesting is followed as deep as anything reads it, and no deeper', () => {
  const nested = (depth: number) => `{"payload":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  expect(condense(nested(9_999)).state).toBe('complete');
  expect(condense(nested(10_000)).problem).toContain('nested');
});

test('a file cannot write what stands for base64 content', () => {
  expect(
    readStandIn(`data:image/png;stand-in=x;bytes=1;sha256=${'0'.repeat(64)};base64,`),
  ).toBeNull();
});
