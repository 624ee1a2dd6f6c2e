/**
 * From the model server's first word of a message to the callback of a subscriber, with the
 * driver app-server, against the same stream as Codex prints it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFunctionReference } from 'convex/server';
import { childEnvironment } from '../src/actors/codex-process/child-environment.ts';
import { startProcess } from '../test/support/codex-process.ts';
import { startDaemonProcess, type DaemonProcess } from '../test/support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../test/support/scripted-model/codex-home.ts';
import { hold, say, type Step } from '../test/support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../test/support/scripted-model/start-scripted-model.ts';
import { subscribe, threadsCreate } from '../test/support/subscriber.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

/** The first ones warm up and are not counted. */
const SAMPLES = 100;
const WARM_UP = 10;

const forThread = makeFunctionReference<'query', { threadId: string }, { text?: string }[]>(
  'messages:forThread',
);

/** Told apart by their first piece. */
const number = (index: number) => String(index).padStart(4, '0');

const messagesOf = (name: string): Step[] =>
  Array.from({ length: WARM_UP + SAMPLES }, (_, index) => [
    hold(`${name} ${index}`),
    say(`${number(index)} and some more words`, 4),
  ]).flat();

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  await using model = await startScriptedModel({
    bridge: [messagesOf('bridge')],
    direct: [messagesOf('direct')],
  });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  mkdirSync(join(folder.path, 'project'));
  await using daemon = await startDaemonProcess({
    folder: folder.path,
    env: { CODEX_BIN: codexBin, OPENAGENTS_CODEX_DRIVER: 'app-server' },
  });
  const direct = await measureDirect(folder.path, model);
  const bridged = await measureBridge(folder.path, model, daemon);
  const show = (samples: number[]) =>
    `p50 ${percentile(samples, 0.5).toFixed(2)} ms, p99 ${percentile(samples, 0.99).toFixed(2)} ms`;
  return {
    'model server to Convex subscriber': show(bridged),
    "model server to Codex's stdout": show(direct),
    'difference of the medians': `${(percentile(bridged, 0.5) - percentile(direct, 0.5)).toFixed(2)} ms`,
  };
}

async function measureBridge(
  folder: string,
  model: ScriptedModel,
  daemon: DaemonProcess,
): Promise<number[]> {
  await using app = subscribe(daemon);
  const bridge = await daemon.connect();
  const threadDocId = await app.client.mutation(threadsCreate, { cwd: join(folder, 'project') });
  let newest = '';
  let changed: () => void = () => {};
  app.client.onUpdate(forThread, { threadId: threadDocId }, (rows) => {
    newest = rows.at(-1)?.text ?? '';
    changed();
  });
  await bridge.request('run.submit', { threadDocId, text: 'bridge' });
  const samples = await sample(model, 'bridge', (start) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    changed = () => {
      if (newest.startsWith(start)) resolve();
    };
    return promise;
  });
  bridge.close();
  return samples;
}

async function measureDirect(folder: string, model: ScriptedModel): Promise<number[]> {
  const env = childEnvironment(process.env, join(folder, 'codex'));
  const codex = startProcess(
    { bin: codexBin, env },
    { driver: 'app-server', prompt: 'direct', cwd: join(folder, 'project') },
  );
  const samples = await sample(model, 'direct', async (start) => {
    await codex.told('process.pieces', ({ pieces }) =>
      pieces.some(({ item }) => item.text?.startsWith(start)),
    );
  });
  await codex.told('process.exited');
  codex.stop();
  return samples;
}

/** One at a time, each waited for: a latency, not a throughput. */
async function sample(
  model: ScriptedModel,
  name: string,
  seen: (start: string) => Promise<void>,
): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < WARM_UP + SAMPLES; index += 1) {
    await model.reached(`${name} ${index}`);
    const done = seen(number(index));
    const start = performance.now();
    model.release(`${name} ${index}`);
    await done;
    if (index >= WARM_UP) samples.push(performance.now() - start);
  }
  return samples;
}
