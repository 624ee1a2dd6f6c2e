import { ConvexReactClient } from 'convex/react';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { api, startBackend } from '../support/backend.ts';
import type { Backend } from '../support/backend.ts';

let backend: Backend;
let client: ConvexReactClient;
beforeAll(async () => {
  backend = await startBackend();
  client = new ConvexReactClient(backend.url, {
    skipConvexDeploymentUrlCheck: true,
    logger: false,
  });
});
afterAll(async () => {
  await client.close();
  await backend[Symbol.asyncDispose]();
});

test('an optimistic update gives way to the real row without both being seen, or neither', async () => {
  const room = 'optimistic';
  const watch = client.watchQuery(api.rooms.list, { room });
  const lengths: number[] = [];
  const seen = Promise.withResolvers<void>();
  const stop = watch.onUpdate(() => {
    lengths.push(watch.localQueryResult()?.length ?? -1);
    seen.resolve();
  });
  await seen.promise;
  for (let number = 0; number < 30; number++) {
    await client.mutation(
      api.rooms.send,
      { room, body: String(number) },
      {
        optimisticUpdate: (store, message) => {
          const shown = store.getQuery(api.rooms.list, { room }) ?? [];
          store.setQuery(api.rooms.list, { room }, [...shown, `${message.body} (sending)`]);
        },
      },
    );
  }
  stop();
  // Two updates for each message, the optimistic and the real one, and the length goes up once.
  expect(lengths.toSorted((a, b) => a - b)).toEqual(lengths);
  expect(lengths.at(-1)).toBe(30);
  expect(watch.localQueryResult()).not.toContain('29 (sending)');
});

test('an optimistic update of a mutation that fails is taken back', async () => {
  const room = 'taken back';
  const watch = client.watchQuery(api.rooms.list, { room });
  const seen: Array<readonly string[]> = [];
  const first = Promise.withResolvers<void>();
  const stop = watch.onUpdate(() => {
    seen.push(watch.localQueryResult() ?? []);
    first.resolve();
  });
  await first.promise;
  const sending = client.mutation(
    api.rooms.sendAndFail,
    { room },
    { optimisticUpdate: (store) => store.setQuery(api.rooms.list, { room }, ['hope']) },
  );
  await expect(sending).rejects.toThrow('changed my mind');
  stop();
  expect(seen).toEqual([[], ['hope'], []]);
});
