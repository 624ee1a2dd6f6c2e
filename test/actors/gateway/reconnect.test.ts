/** Clients that lose their connection at any moment, and come back with the place to go on from. */
import { once } from 'node:events';
import { array, assert, asyncProperty, nat, record } from 'fast-check';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { connectBridge } from '../../../src/control/connect-bridge.ts';
import { startGateway, TOKEN, type RunningGateway } from '../../support/gateway.ts';
import { unreliableLine } from '../../support/unreliable-line.ts';
import { until } from '../../support/until.ts';

/** Lines are told, as many at once as this says, then the client is cut after it has read some. */
const steps = array(record({ lines: nat(40), readBeforeCut: nat(30) }), {
  minLength: 3,
  maxLength: 12,
});

test(
  'replay with since has no gap and no repeat, wherever the connection is cut',
  { timeout: 20_000 },
  async () => {
    using running = await startGateway();
    let told = 0;
    await assert(
      asyncProperty(steps, async (script) => {
        const begin = told;
        const seen: string[] = [];
        let since = await newestSeq(running);
        for (const { lines, readBeforeCut } of [...script, { lines: 1, readBeforeCut: Infinity }]) {
          const socket = new WebSocket(`${running.url}?token=${TOKEN}&wrap=1&since=${since}`);
          const enough = Promise.withResolvers<void>();
          const ends = told + lines;
          socket.on('message', (data: Buffer) => {
            const frame: { type: string; seq?: number; line: string } = JSON.parse(String(data));
            // As one that is cut for good sees it: nothing after the cut.
            if (socket.readyState !== WebSocket.OPEN || frame.seq === undefined) return;
            since = frame.seq;
            if (frame.type === 'codex.line') seen.push(frame.line);
            const isLast = readBeforeCut === Infinity && seen.length === ends - begin;
            if (isLast || seen.length % (readBeforeCut + 1) === readBeforeCut) {
              socket.terminate();
              enough.resolve();
            }
          });
          await once(socket, 'open');
          for (let n = 0; n < lines; n += 1) running.line(String((told += 1)));
          if (readBeforeCut === Infinity) await enough.promise;
          else await Promise.race([enough.promise, new Promise(setImmediate)]);
          socket.terminate();
        }
        expect(seen).toEqual(Array.from({ length: told - begin }, (_, n) => String(begin + n + 1)));
      }),
      { numRuns: 15, seed: 20_260_101 },
    );
  },
);

test('the client sees each line once and in order over a line that breaks again and again', async () => {
  using running = await startGateway();
  await using line = await unreliableLine(Number(new URL(running.url).port));
  const url = `${line.url.replace('http', 'ws')}/ws`;
  const bridge = await connectBridge({ url, token: TOKEN });
  const seen: string[] = [];
  const changes: unknown[] = [];
  bridge.on('codex.line', (event) => seen.push(event.line));
  bridge.onChange((change) => changes.push(change.state === 'connected' ? change.missed : null));
  const all: string[] = [];
  for (let round = 0; round < 6; round += 1) {
    for (let n = 0; n < 50; n += 1) running.line(String(all.push(String(all.length))));
    if (round < 5) line.cut();
    await until(`it is back after cut ${round}`, () => seen.length > round * 50);
  }
  await until('it has all lines', () => seen.length >= all.length);
  expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => String(n + 1)));
  expect(changes).not.toContain(true);
  expect(changes).toContain(false);
  bridge.close();
});

test('a client that was away for longer than is kept is told that it missed something', async () => {
  using running = await startGateway();
  const first = await connectBridge({ url: running.url, token: TOKEN });
  running.line('seen');
  const seen = new Promise<number>((resolve) => first.on('codex.line', ({ seq }) => resolve(seq)));
  const since = await seen;
  first.close();
  for (let n = 0; n < 2_100; n += 1) running.line(`line ${n}`);
  const socket = new WebSocket(`${running.url}?token=${TOKEN}&wrap=1&since=${since}`);
  const [hello] = await once(socket, 'message');
  const { replay }: { replay: { from: number; to: number } } = JSON.parse(String(hello));
  expect(replay.from).toBeGreaterThan(since + 1);
  socket.terminate();
});

/** As a client that has just seen everything. */
async function newestSeq({ url }: RunningGateway): Promise<number> {
  const socket = new WebSocket(`${url}?token=${TOKEN}&since=0`);
  const [hello] = await once(socket, 'message');
  const { replay }: { replay: { to: number } } = JSON.parse(String(hello));
  socket.terminate();
  await once(socket, 'close');
  return replay.to;
}
