/** From the append of a line to the callback of a subscriber, against a bare echo. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFunctionReference } from 'convex/server';
import { execa } from 'execa';
import { WebSocket } from 'ws';
import { startDaemonProcess } from '../test/support/daemon-process.ts';
import { createSession } from '../test/support/session-writer.ts';
import { subscribe, type ConvexAccess } from '../test/support/subscriber.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

/** Enough for a p99; the first ones warm up both sides and are not counted. */
const SAMPLES = 500;
const WARM_UP = 50;

const forThread = makeFunctionReference<'query', { threadId: string }, { text?: string }[]>(
  'messages:forThread',
);

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const mirrored = await measureMirror(folder.path, daemon);
  const echoed = await measureEcho(folder.path);
  const show = (samples: number[]) =>
    `p50 ${percentile(samples, 0.5).toFixed(2)} ms, p99 ${percentile(samples, 0.99).toFixed(2)} ms`;
  return {
    'append to Convex subscriber': show(mirrored),
    'append to WebSocket client, bare echo': show(echoed),
    'ratio of the medians': (percentile(mirrored, 0.5) / percentile(echoed, 0.5)).toFixed(1),
  };
}

async function measureMirror(folder: string, daemon: ConvexAccess): Promise<number[]> {
  const session = createSession(join(folder, 'codex'));
  session.user('latency');
  const { client } = subscribe(daemon);
  let newest: string | undefined;
  let changed: () => void = () => undefined;
  client.onUpdate(forThread, { threadId: session.threadId }, (messages) => {
    newest = messages.at(-1)?.text;
    changed();
  });
  const samples = await sample(
    (text) => session.assistant(text),
    (text) =>
      new Promise((resolve) => {
        changed = () => {
          if (newest === text) resolve();
        };
        changed();
      }),
  );
  await client.close();
  return samples;
}

async function measureEcho(folder: string): Promise<number[]> {
  const path = join(folder, 'echo.jsonl');
  writeFileSync(path, '');
  const program = fileURLToPath(new URL('./echo-process.ts', import.meta.url));
  const server = execa(process.execPath, [program, path], { reject: false });
  const [port] = await once(server.stdout, 'data');
  const socket = new WebSocket(`ws://127.0.0.1:${String(port).trim()}`);
  await once(socket, 'open');
  let expected = '';
  let arrived: () => void = () => undefined;
  socket.on('message', (data: Buffer) => {
    if (data.toString() === expected) arrived();
  });
  const samples = await sample(
    (text) => appendFileSync(path, `${text}\n`),
    (text) =>
      new Promise((resolve) => {
        expected = `${text}\n`;
        arrived = resolve;
      }),
  );
  socket.terminate();
  server.kill();
  await server;
  return samples;
}

/** One at a time, each waited for: a latency, not a throughput. */
async function sample(
  write: (text: string) => void,
  seen: (text: string) => Promise<void>,
): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < WARM_UP + SAMPLES; index += 1) {
    const text = `answer number ${index}.`;
    const done = seen(text);
    const start = performance.now();
    write(text);
    await done;
    if (index >= WARM_UP) samples.push(performance.now() - start);
  }
  return samples;
}
