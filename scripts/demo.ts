/**
 * `npm run demo`: the daemon, the real Codex CLI and a scripted model, on temporary
 * homes; a prompt is submitted, and the conversation is printed as an official Convex
 * client sees it grow. No account and no network are needed.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { startDaemonProcess } from '../test/support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../test/support/scripted-model/codex-home.ts';
import {
  patch,
  pause,
  plan,
  reason,
  say,
  shell,
  type Script,
} from '../test/support/scripted-model/script.ts';
import { startScriptedModel } from '../test/support/scripted-model/start-scripted-model.ts';
import {
  messagesForThread,
  subscribe,
  threadsCreate,
  type MessageRow,
} from '../test/support/subscriber.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';

const PROMPT = 'Write a haiku about files into haiku.txt';

const script: Script = {
  haiku: [
    [
      reason('The person wants a haiku in a file. First I look at what is there.'),
      plan({ 'look at the folder': 'in_progress', 'write the haiku': 'pending' }),
    ],
    [pause(400), say('I will see what is there.'), shell('ls -la')],
    [
      pause(400),
      patch(
        '*** Add File: haiku.txt',
        '+Lines fall one by one',
        '+each in its place, once, and whole',
        '+the screen already knows',
      ),
    ],
    [pause(400), shell('cat haiku.txt')],
    [pause(300), say('Done: haiku.txt holds a haiku about files that grow.')],
  ],
};

const start = performance.now();
using folder = temporaryFolder('oa-demo-');
const project = join(folder.path, 'project');
mkdirSync(project);
await using model = await startScriptedModel(script);
makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });

note('starting the daemon: embedded Convex, control WebSocket, sessions watcher');
await using daemon = await startDaemonProcess({
  folder: folder.path,
  env: { CODEX_BIN: codexBin },
});
note(`control ${daemon.controlUrl}   convex ${daemon.convexUrl}`);

const bridge = await daemon.connect();
await using app = subscribe(daemon);
const threadId = await app.client.mutation(threadsCreate, { cwd: project });

const shown = new Map<string, string>();
app.client.onUpdate(messagesForThread, { threadId }, (messages) => {
  for (const message of messages) show(message);
});
const ended = Promise.withResolvers<string>();
let runState = '';
bridge.onFrame((frame) => {
  if (frame.type !== 'bridge.run') return;
  if (runState !== frame.state) note(`run ${frame.state}`);
  runState = frame.state;
  if (['completed', 'failed', 'interrupted', 'timedOut'].includes(frame.state)) {
    ended.resolve(frame.state);
  }
});
note('run.submit over the WebSocket; what follows is what a Convex subscriber sees');
await bridge.request('run.submit', { threadDocId: threadId, text: PROMPT });
const state = await ended.promise;
await app.messages(
  threadId,
  (rows) =>
    rows.some(({ kind }) => kind === 'turn') &&
    rows.every(({ provisional }) => provisional !== true),
);
note(`${shown.size} rows, each once; the session file and the stream were joined`);
bridge.close();
process.exitCode = state === 'completed' ? 0 : 1;

function show({ _id, kind, role, text, provisional }: MessageRow): void {
  const line = (text ?? '').replaceAll('\n', ' ⏎ ');
  const seen = `${kind} ${line}`;
  if (shown.get(_id) === seen) return;
  shown.set(_id, seen);
  const label = (kind === 'message' ? (role ?? kind) : kind).padEnd(10);
  const origin = provisional === true ? 'stream' : 'file';
  console.log(
    `${clock()} ${styleText('cyan', label)} ${line.slice(0, 90)} ${styleText('dim', `(${origin})`)}`,
  );
}

function note(text: string): void {
  console.log(`${clock()} ${styleText('dim', text)}`);
}

function clock(): string {
  const ms = performance.now() - start;
  return styleText('dim', `${(ms / 1000).toFixed(2).padStart(6)}s`);
}
