import { createHash } from 'node:crypto';
import { array, assert, integer, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from '../../../src/actors/sessions/line-splitter.ts';

const MAX = 20;

/** Of a long line, where it starts and its hash. */
function hashing(offset: number) {
  const hash = createHash('sha256');
  return {
    push: (piece: Buffer) => void hash.update(piece),
    end: () => [offset, hash.digest('hex')],
  };
}

function split(chunks: Buffer[], offset = 0) {
  const splitter = new LineSplitter(offset, MAX, hashing);
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
        expect(found?.content).toEqual(
          isKept ? Buffer.from(text) : [offset, createHash('sha256').update(text).digest('hex')],
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
  expect(lines.map(({ content }) => content.toString())).toEqual(['a\u2028b\u0085c\r']);
});
