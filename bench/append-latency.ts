/** From the append of a line to whoever waits for it: a Convex subscriber, or a bare echo's client. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFunctionReference } from 'convex/server';
import { execa } from 'execa';
import { WebSocket } from 'ws';
import { createSession } from '../test/support/session-writer.ts';
import { subscribe, type ConvexAccess } from '../test/support/subscriber.ts';
import { pause } from './imported.ts';
import { percentile } from './percentile.ts';

/** How many, and how long to wait between two, in ms. */
export interface Sampling {
  samples: number;
  /** Not counted: they warm up both sides. */
  warmUp: number;
  pauseMs: number;
}

const forThread = makeFunctionReference<'query', { threadId: string }, { text?: string }[]>(
  'messages:forThread',
);

/** Milliseconds each. */
export async function mirrorLatency(
  folder: string,
  daemon: ConvexAccess,
  sampling: Sampling,
): Promise<number[]> {
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
    sampling,
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

/** Milliseconds each. */
export async function echoLatency(folder: string, sampling: Sampling): Promise<number[]> {
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
    sampling,
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

export function showLatency(samples: readonly number[]): string {
  const [p50, p99] = [percentile(samples, 0.5), percentile(samples, 0.99)];
  return `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, of ${samples.length}`;
}

/** One at a time, each waited for: a latency, not a throughput. */
async function sample(
  { samples: count, warmUp, pauseMs }: Sampling,
  write: (text: string) => void,
  seen: (text: string) => Promise<void>,
): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < warmUp + count; index += 1) {
    await pause(pauseMs);
    const text = `answer number ${index}.`;
    const done = seen(text);
    const start = performance.now();
    write(text);
    await done;
    if (index >= warmUp) samples.push(performance.now() - start);
  }
  return samples;
}
