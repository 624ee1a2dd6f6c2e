/** What subscriptions cost those who write, and how soon many of them are told. */
import { once } from 'node:events';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { percentile } from '../percentile.ts';
import type { Figures } from '../run.ts';
import { alternate } from './alternate.ts';
import { api, connect, spawnServed } from './served.ts';

const FEW = 10;
const MANY = 10_000;
const SAMPLES = 500;
const SUBSCRIBERS = 1000;
const ROUNDS = 10;

export async function measureSubscriptions(): Promise<Figures> {
  const [few, many] = await mutationsWith();
  const told = await tellAll();
  return {
    [`mutation with ${FEW} unrelated subscriptions`]: `p50 ${few.toFixed(3)} ms`,
    [`mutation with ${MANY} unrelated subscriptions`]: `p50 ${many.toFixed(3)} ms`,
    'ratio (at most 1.5)': (many / few).toFixed(2),
    [`${SUBSCRIBERS} subscribers of one query told (at most 100 ms)`]: `p50 ${percentile(told, 0.5).toFixed(0)} ms, worst ${Math.max(...told).toFixed(0)} ms`,
  };
}

/** Median ms of an awaited mutation that none of few, and of many, subscriptions reads. */
async function mutationsWith(): Promise<[number, number]> {
  await using few = await subscribed(FEW);
  await using many = await subscribed(MANY);
  return await alternate(SAMPLES, few.write, many.write);
}

/** A backend with so many subscriptions, none of which reads what `write` writes. */
async function subscribed(count: number) {
  const folder = temporaryFolder();
  const backend = spawnServed(join(folder.path, 'data.sqlite'));
  const { url } = await backend.ready;
  const [reader, writer] = [connect(url), connect(url)];
  const first = Array.from({ length: count }, (_, number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    reader.onUpdate(api.list, { room: `room ${number}` }, () => resolve());
    return promise;
  });
  await Promise.all(first);
  return {
    write: (turn: number) =>
      writer.mutation(api.send, { room: 'elsewhere', body: `message ${turn}` }),
    async [Symbol.asyncDispose]() {
      await Promise.all([reader.close(), writer.close()]);
      await backend[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** ms from a write to its arrival at the last of many connections, each with the same query. */
async function tellAll(): Promise<number[]> {
  using folder = temporaryFolder();
  await using backend = spawnServed(join(folder.path, 'data.sqlite'));
  const { url } = await backend.ready;
  let expected = '';
  let missing = 0;
  let allTold: () => void = () => undefined;
  const sockets = await Promise.all(
    Array.from({ length: SUBSCRIBERS }, (_, number) =>
      subscriber(url, number, (message) => {
        if (expected === '' || !message.includes(expected)) return;
        missing -= 1;
        if (missing === 0) allTold();
      }),
    ),
  );
  const writer = connect(url);
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { promise, resolve } = Promise.withResolvers<void>();
    [expected, missing, allTold] = [`round ${round}.`, SUBSCRIBERS, resolve];
    const start = performance.now();
    await Promise.all([promise, writer.mutation(api.send, { room: 'shared', body: expected })]);
    samples.push(performance.now() - start);
  }
  await writer.close();
  for (const socket of sockets) socket.terminate();
  return samples;
}

/** By hand, because a thousand official clients in one process would measure themselves. */
async function subscriber(
  url: string,
  number: number,
  receive: (message: string) => void,
): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/1.48.0/sync`);
  await once(socket, 'open');
  const sessionId = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  const query = { type: 'Add', queryId: 0, udfPath: 'bench:list', args: [{ room: 'shared' }] };
  for (const message of [
    { type: 'Connect', sessionId, connectionCount: 0, lastCloseReason: null },
    { type: 'ModifyQuerySet', baseVersion: 0, newVersion: 1, modifications: [query] },
  ]) {
    socket.send(JSON.stringify(message));
  }
  await once(socket, 'message');
  socket.on('message', (data: Buffer) => receive(data.toString()));
  return socket;
}
