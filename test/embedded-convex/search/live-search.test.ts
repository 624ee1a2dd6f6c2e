import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { api, startBackend } from '../support/backend.ts';
import type { Backend } from '../support/backend.ts';
import { watch } from '../support/values-seen.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await startBackend();
});
afterAll(() => backend[Symbol.asyncDispose]());

test('a search subscription follows what is written', async () => {
  const room = 'search';
  const writer = backend.client();
  const found = watch(backend.client(), api.rooms.find, { room, words: 'needle' });
  expect(await found.until(() => true)).toEqual([]);
  await writer.mutation(api.rooms.send, { room, body: 'a haystack' });
  await writer.mutation(api.rooms.send, { room, body: 'a needle in a haystack' });
  await writer.mutation(api.rooms.send, { room: 'another', body: 'needle' });
  await found.until((value) => rows(value).includes('a needle in a haystack'));
  await writer.mutation(api.rooms.send, { room, body: 'Needles!' });
  const both = await found.until((value) => rows(value).length === 2);
  expect(rows(both).toSorted()).toEqual(['Needles!', 'a needle in a haystack']);
  await writer.mutation(api.rooms.clear, { room });
  await until('none is found any more', () => rows(found.values.at(-1) ?? ['?']).length === 0);
  found.stop();
});

/** A failed query is given as its error. */
function rows(value: string[] | Error): string[] {
  if (value instanceof Error) throw value;
  return value;
}
