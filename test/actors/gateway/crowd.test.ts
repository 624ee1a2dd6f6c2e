/** Many clients at once, on real sockets. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectBridge } from '../../../src/control/connect-bridge.ts';
import {
  cutOff,
  rawClient,
  rawSocket,
  startGateway,
  TOKEN,
  upgradeHead,
  type RunningGateway,
} from '../../support/gateway.ts';
import { until } from '../../support/until.ts';

let running: RunningGateway;

beforeEach(async () => {
  running = await startGateway();
});
afterEach(() => running[Symbol.dispose]());

test(
  'of 500 clients that come at once 64 get in, and the bridge serves on',
  { timeout: 30_000 },
  async () => {
    const sockets = await Promise.all(Array.from({ length: 500 }, () => rawSocket(running.url)));
    const answers = sockets.map(async (socket) => {
      // A connection that is cut may say so before it closes.
      const told = new Promise<string>((resolve) => {
        if (socket.closed) resolve('cut');
        socket.once('data', (data) => resolve(String(data)));
        socket.once('close', () => resolve('cut'));
      });
      socket.write(upgradeHead());
      return await told;
    });
    const heads = (await Promise.all(answers)).map(
      (answer) => /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 'cut',
    );
    expect(heads.filter((head) => head === '101')).toHaveLength(64);
    expect(new Set(heads)).toEqual(
      new Set(heads.filter((head) => ['101', '503', 'cut'].includes(head))),
    );
    for (const socket of sockets) socket.destroy();
    await until('all are gone', () => running.actor.getSnapshot().context.clients === 0);
    const bridge = await connectBridge({ url: running.url, token: TOKEN });
    expect((await bridge.request('echo')).type).toBe('bridge.echo');
    bridge.close();
  },
);

test('a peer that answers no ping is gone after three of them, one that answers stays', async () => {
  using pinging = await startGateway({ pingMs: 50 });
  const silent = await rawSocket(pinging.url);
  silent.write(upgradeHead());
  const cut = cutOff(silent);
  silent.resume();
  const { socket } = await rawClient(pinging.url);
  let pings = 0;
  socket.on('ping', () => (pings += 1));
  await cut;
  const before = pings;
  await until('the other is still asked', () => pings > before + 4);
  expect(pinging.actor.getSnapshot().context.clients).toBe(1);
  socket.terminate();
});

test(
  '49 of 50 clients get every line in order while one never reads',
  { timeout: 60_000 },
  async () => {
    const stalled = await rawSocket(running.url);
    stalled.write(upgradeHead());
    stalled.pause();
    const readers = await Promise.all(Array.from({ length: 49 }, () => rawClient(running.url)));
    const lines = Array.from({ length: 2_000 }, (_, n) =>
      JSON.stringify({ n, text: 'x'.repeat(150) }),
    );
    for (let from = 0; from < lines.length; from += 50) {
      for (const line of lines.slice(from, from + 50)) running.line(line);
      await new Promise(setImmediate);
    }
    const got = (frames: string[]) => frames.filter((frame) => frame.startsWith('{"n":'));
    const hasAll = ({ frames }: { frames: string[] }) => frames.includes(lines.at(-1) ?? '');
    await until('all have the last line', () => readers.every(hasAll), 30_000);
    for (const { frames } of readers) expect(got(frames)).toEqual(lines);
    stalled.destroy();
    for (const { socket } of readers) socket.terminate();
  },
);
