import { createHash } from 'node:crypto';
import { array, assert, integer, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter, type SplitLine } from '../../../src/actors/sessions/line-splitter.ts';

const MAX = 20;

function split(chunks: Buffer[], offset = 0): { lines: SplitLine[]; position: number } {
  const splitter = new LineSplitter(offset, MAX);
  const lines = chunks.flatMap((chunk) => splitter.push(chunk));
  return { lines, position: splitter.position };
}

test('however the bytes arrive, the lines are the same, and nothing is emitted before its newline', () => {
  const line = uint8Array({ maxLength: 2 * MAX }).map((bytes) =>
    bytes.filter((byte) => byte !== 10),
  );
  const cuts = array(integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 60 });
  assert(
    property(array(line), line, cuts, (complete, torn, cuts) => {
      const newline = Buffer.from('\n');
      const bytes = Buffer.concat([...complete.flatMap((text) => [text, newline]), torn]);
      const chunks: Buffer[] = [];
      for (let at = 0, n = 0; at < bytes.length; n += 1) {
        const length = cuts[n % cuts.length] ?? 1;
        chunks.push(Buffer.from(bytes.subarray(at, at + length)));
        at += length;
      }
      const { lines, position } = split(chunks, 1_000);
      let offset = 1_000;
      expect(lines).toHaveLength(complete.length);
      for (const [n, text] of complete.entries()) {
        const found = lines[n];
        expect(found).toMatchObject({ offset, length: text.length + 1 });
        const isKept = text.length <= MAX;
        expect(found?.bytes ?? null).toEqual(isKept ? Buffer.from(text) : null);
        expect(found?.sha256).toBe(
          isKept ? undefined : createHash('sha256').update(text).digest('hex'),
        );
        offset += text.length + 1;
      }
      expect(position).toBe(1_000 + bytes.length);
    }),
    { seed: 20_261_123, numRuns: 300 },
  );
});

test('a line separator of Unicode is no end of a line', () => {
  const { lines } = split([Buffer.from('a\u2028b\u0085c\r\n')]);
  expect(lines.map(({ bytes }) => bytes?.toString())).toEqual(['a\u2028b\u0085c\r']);
});
