/** A daemon with something to see: the real Codex on a scripted model, one prompt after another. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BridgeConnection } from '../../src/control/connect-bridge.ts';
import { startDaemonProcess } from './daemon-process.ts';
import { descendant } from './processes.ts';
import { codexBin, makeCodexHome } from './scripted-model/codex-home.ts';
import { pause, say, shell, type Reply } from './scripted-model/script.ts';
import { startScriptedModel, type ScriptedModel } from './scripted-model/start-scripted-model.ts';
import { subscribe, threadsCreate } from './subscriber.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface BusyDaemon {
  url: string;
  token: string;
  /** What `oa-bridge` needs in its environment in order to find it. */
  env: Record<string, string>;
  /** Holds its homes. */
  folder: string;
  model: ScriptedModel;
  connect(): Promise<BridgeConnection>;
  /** Kills the Convex backend, which the bridge starts again. */
  killBackend(): Promise<void>;
  /** Resolves when the run has begun. */
  submit(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const THINKING_MS = 2_500;

const paced: readonly Reply[] = [
  [pause(THINKING_MS), say('I look around.'), shell('ls -la')],
  [pause(THINKING_MS), say('Done.')],
];

/** `replies`: what the model says to each prompt. */
export async function startBusyDaemon(replies = paced): Promise<BusyDaemon> {
  const folder = temporaryFolder('oa-inspect-');
  const project = join(folder.path, 'project');
  mkdirSync(project);
  const model = await startScriptedModel({ '*': replies });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  const daemon = await startDaemonProcess({
    folder: folder.path,
    env: { CODEX_BIN: codexBin },
  });
  const bridge = await daemon.connect();
  const app = subscribe(daemon);
  const threadDocId = await app.client.mutation(threadsCreate, { cwd: project });
  return {
    url: daemon.controlUrl,
    token: daemon.token,
    env: {
      OPENAGENTS_BRIDGE_TOKEN: daemon.token,
      OPENAGENTS_BIND: new URL(daemon.controlUrl).host,
    },
    folder: folder.path,
    model,
    connect: () => daemon.connect(),
    async killBackend() {
      const backend = await descendant(daemon.pid, 'embedded-convex/main');
      if (backend) process.kill(backend.pid, 'SIGKILL');
    },
    async submit() {
      await bridge.request('run.submit', { threadDocId, text: 'What is in this folder?' });
    },
    async [Symbol.asyncDispose]() {
      bridge.close();
      await app[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
      await model.close();
      folder[Symbol.dispose]();
    },
  };
}
