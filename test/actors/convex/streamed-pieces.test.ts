import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StreamedPieces } from '../../../src/actors/convex/streamed-pieces.ts';
import type { StreamedPiece } from '../../../src/codex/app-server/growing-item.ts';

let written: { threadId: string; piece: StreamedPiece; done: PromiseWithResolvers<void> }[];
let pieces: StreamedPieces;

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  pieces = new StreamedPieces((threadId, piece) => {
    const done = Promise.withResolvers<void>();
    written.push({ threadId, piece, done });
    return done.promise;
  });
});
afterEach(() => {
  pieces.stop();
  vi.useRealTimers();
});

const piece = (key: string, seq: number): StreamedPiece => ({
  item: { key, kind: 'message', text: `${seq} words`, ts: 1 },
  seq,
});
const seqs = () => written.map((it) => it.piece.seq);

test('the first piece of a row is written at once, the newest of the others 50 ms later', async () => {
  pieces.show('t', piece('a', 1));
  expect(seqs()).toEqual([1]);
  written[0]?.done.resolve();
  for (const seq of [2, 3, 4]) pieces.show('t', piece('a', seq));
  await vi.advanceTimersByTimeAsync(49);
  expect(seqs()).toEqual([1]);
  await vi.advanceTimersByTimeAsync(1);
  expect(seqs()).toEqual([1, 4]);
});

test('a backend that is slow gets one write of a row at a time, however many pieces come', async () => {
  for (let seq = 1; seq <= 100; seq += 1) pieces.show('t', piece('a', seq));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seqs()).toEqual([1]);
  written[0]?.done.reject(new Error('it failed'));
  await vi.advanceTimersByTimeAsync(0);
  expect(seqs()).toEqual([1, 100]);
});

test('rows do not wait for one another', () => {
  pieces.show('t', piece('a', 1));
  pieces.show('t', piece('b', 2));
  pieces.show('u', piece('a', 3));
  expect(seqs()).toEqual([1, 2, 3]);
});

test('what waits of an item that has come to its end is not written any more', async () => {
  pieces.show('t', piece('a', 1));
  pieces.show('t', piece('a', 2));
  pieces.forget('t', ['a']);
  written[0]?.done.resolve();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seqs()).toEqual([1]);
});
