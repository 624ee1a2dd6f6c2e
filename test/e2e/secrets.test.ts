/** Canaries through the real daemon and the real Codex: what lies on disk for Convex holds none of them. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BridgeConnection, BridgeEvent } from '../../src/control/connect-bridge.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { descendants, isAlive } from '../support/processes.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, say, shell } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe, threadsCreate, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const canary = (name: string) => `ghp_${`${name}X1y2Z3`.padEnd(36, 'q7W8')}`;
const HIDDEN = '[redacted: github-token]';

let folder: ReturnType<typeof temporaryFolder>;
let model: ScriptedModel | undefined;
let daemon: DaemonProcess;
let bridge: BridgeConnection;
let app: Subscriber;
let frames: BridgeEvent[];

beforeEach(() => {
  folder = temporaryFolder();
  frames = [];
});

afterEach(async () => {
  bridge.close();
  await app[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await model?.close();
  folder[Symbol.dispose]();
});

async function start(env: Record<string, string> = {}): Promise<void> {
  daemon = await startDaemonProcess({ folder: folder.path, env: { CODEX_BIN: codexBin, ...env } });
  bridge = await daemon.connect();
  bridge.onFrame((frame) => void frames.push(frame));
  app = subscribe(daemon);
}

/** What only the bridge may know. */
async function ownSecrets(): Promise<string[]> {
  const home = join(folder.path, 'openagents');
  const adminKey = readFileSync(join(home, 'convex/admin-key'), 'utf8').trim();
  const { d } = JSON.parse(readFileSync(join(home, 'convex-key.json'), 'utf8'));
  return [daemon.token, adminKey, String(d), await daemon.convexToken()];
}

/** Whether the text, or its words as a search index has them, lies in the database, its log or beside it. */
function isOnDisk(text: string): boolean {
  const convex = join(folder.path, 'openagents', 'convex');
  return readdirSync(convex, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name !== 'admin-key')
    .flatMap((entry) => ifThere(() => readFileSync(join(entry.parentPath, entry.name), 'latin1')))
    .some((content) => content.includes(text) || content.includes(text.toLowerCase()));
}

test('of session files, old and growing, and of what was cut, no secret reaches the disk', async () => {
  const secrets = ['Prompt', 'Output', 'Answer', 'Later', 'Long'].map(canary);
  const [inPrompt = '', inOutput = '', inAnswer = '', later = '', long = ''] = secrets;
  const codexHome = join(folder.path, 'codex');
  const session = createSession(codexHome, { cwd: '/srv/closed' });
  session.user(`${inPrompt} is my token`);
  session.command('env', `HOME=/root\nGH=${inOutput}\n`);
  session.assistant(JSON.stringify({ token: `\n${inAnswer}` }));
  // A row has 256 KiB of it, and ends in the middle of the secret.
  session.assistant(`${'x'.repeat(256 * 1024 - 30)} ${long} ${'y'.repeat(300_000)}`);
  const open = createSession(codexHome, { cwd: '/srv/open/below' });
  const free = canary('Free');
  open.user(`${free} may be seen`);
  await start({ OPENAGENTS_REDACT_OFF_IN: '/srv/open' });
  session.user(`and ${later}`);
  const own = await ownSecrets();
  session.command('cat all', own.join(' '));
  session.assistant('the end');

  const rows = await app.messages(session.threadId, (all) =>
    all.some(({ text }) => text === 'the end'),
  );
  const said = rows.map(({ text }) => text);
  expect(said).toContain(`${HIDDEN} is my token`);
  expect(said).toContain(`and ${HIDDEN}`);
  const { output } = rows.find(({ text }) => text === 'cat all')?.data ?? {};
  expect(output).toBe(
    '[redacted: bridge-token] [redacted: convex-admin-key] [redacted: signing-key] [redacted: jwt]',
  );
  await app.messages(open.threadId, (all) =>
    all.some(({ text }) => text === `${free} may be seen`),
  );
  const threads = await app.threads((all) => all.length === 2);
  const byId = new Map(threads.map((thread) => [thread.threadId, thread]));
  // One in each of five rows, four in the last command.
  expect(byId.get(session.threadId)).toMatchObject({
    redactions: 9,
    title: `${HIDDEN} is my token`,
  });
  expect(byId.get(open.threadId)).not.toHaveProperty('redactions');

  // The search can find something, and finds none of the others, not even half of one.
  expect(isOnDisk(free)).toBe(true);
  // The first half of a token for Convex is no secret, and alike in all of them.
  const halves = [...secrets, ...own.slice(0, 3)].map((text) => text.slice(0, 20));
  expect(halves.filter(isOnDisk)).toEqual([]);
  expect(JSON.stringify(daemon.log)).not.toContain(inPrompt);
  const cut = rows.find(({ text }) => text?.startsWith('xxx'));
  expect(cut?.text?.slice(-30)).toBe(`xxxxx ${HIDDEN}`);
  const whole = await bridge.request('message.full', { messageId: String(cut?._id), part: 1 });
  expect(String(whole['json'])).toContain(`${HIDDEN} yyy`);
});

test("a model that prints its environment sees nothing of the daemon's, and rows nothing secret of the user's", async () => {
  const [ours = '', users = ''] = ['Daemon', 'User'].map(canary);
  model = await startScriptedModel({ '*': [[shell('env')], [say('Printed.')]] });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  mkdirSync(join(folder.path, 'project'));
  await start({ OPENAGENTS_SOMETHING: ours, NOTIFY_SOCKET: `/run/${ours}`, USERS_OWN: users });
  const thread = await app.client.mutation(threadsCreate, { cwd: join(folder.path, 'project') });
  await bridge.request('run.submit', { threadDocId: thread, text: 'print it' });
  const rows = await app.messages(thread, (all) =>
    all.some(({ text, provisional }) => text === 'Printed.' && provisional === undefined),
  );
  const output = String(rows.find(({ kind }) => kind === 'cmd')?.data?.['output']);
  expect(output).toContain(`USERS_OWN=${HIDDEN}`);
  // Codex's own files are as Codex writes them: there the user's key is, and nothing of the daemon's.
  const codexFiles = readdirSync(join(folder.path, 'codex', 'sessions'), { recursive: true })
    .map((name) => join(folder.path, 'codex', 'sessions', String(name)))
    .filter((path) => path.endsWith('.jsonl'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('');
  expect(codexFiles).toContain(users);
  for (const secret of [ours, daemon.token]) expect(codexFiles).not.toContain(secret);
  expect([ours, users, daemon.token].filter(isOnDisk)).toEqual([]);
});

test('Codex gets a prompt as it was typed, also after a restart; rows and search do not', async () => {
  const secrets = ['First', 'Second', 'Shell'].map(canary);
  const [first = '', second = '', printed = ''] = secrets;
  model = await startScriptedModel({
    [`use ${first}`]: [[say('Begun.'), hold('gate'), say('Ended.')]],
    [`use ${second}`]: [[hold('heard'), shell(`echo ${printed}`)], [say(`It was ${printed}.`)]],
  });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  mkdirSync(join(folder.path, 'project'));
  await start();
  const cwd = join(folder.path, 'project');
  const thread = await app.client.mutation(threadsCreate, { cwd });
  await bridge.request('run.submit', { threadDocId: thread, text: `use ${first}` });
  const { runId } = await bridge.request('run.submit', {
    threadDocId: thread,
    text: `use ${second}`,
  });
  await model.reached('gate');
  daemon.kill('SIGKILL');
  await daemon.exited;
  bridge.close();
  await app[Symbol.asyncDispose]();
  await start();
  // Not before somebody hears Codex's lines.
  model.release('heard');
  const ended = () => bridge.request('run.status', { runId: runId });
  await expect.poll(async () => (await ended())['state']).toBe('completed');
  expect(model.requests.map(({ prompt }) => prompt)).toContain(`use ${second}`);
  // Clients of the bridge see Codex's own lines, verbatim.
  await expect
    .poll(() => frames.some((frame) => frame.type === 'codex.line' && frame.line.includes(printed)))
    .toBe(true);
  const rows = await app.messages(thread, (all) =>
    all.some(({ text, provisional }) => text === `It was ${HIDDEN}.` && provisional === undefined),
  );
  const prompts = rows.filter(({ kind, role }) => kind === 'message' && role === 'user');
  expect(prompts.map(({ text }) => text)).toEqual([`use ${HIDDEN}`, `use ${HIDDEN}`]);
  const calls = rows.filter(({ kind }) => kind === 'cmd');
  expect(calls).toMatchObject([{ text: `echo ${HIDDEN}`, data: { output: `${HIDDEN}\n` } }]);
  expect(secrets.map((text) => text.slice(0, 20)).filter(isOnDisk)).toEqual([]);
}, 60_000);

test.runIf(process.platform === 'linux').each(['exec', 'app-server'])(
  'no process of a run by %s has a secret of the bridge: in its environment, arguments, open or written files',
  async (driver) => {
    model = await startScriptedModel({
      'run for long': [[shell('env > environment; sleep 321 & wait', 60_000)], [say('Never.')]],
    });
    const codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
    const cwd = join(folder.path, 'project');
    mkdirSync(cwd);
    await start({ OPENAGENTS_CODEX_DRIVER: driver });
    const thread = await app.client.mutation(threadsCreate, { cwd });
    const { runId } = await bridge.request('run.submit', {
      threadDocId: thread,
      text: 'run for long',
    });
    const processes = async () => {
      const { pid } = await bridge.request('run.status', { runId });
      return pid === undefined ? [] : [pid, ...(await descendants(pid)).map((row) => row.pid)];
    };
    await until('the command runs', async () => {
      return (await processes()).map(shownOf).some(({ words }) => words === 'sleep 321');
    });
    const shown = (await processes()).map(shownOf);
    // Codex itself, the shell of the command, and the command; others come and go.
    const main = [/\bcodex\b/, /sleep 321 & wait$/, /^sleep 321$/].map((words) =>
      shown.find((process) => words.test(process.words)),
    );
    for (const process of main) {
      expect(process?.environment).toContain(`CODEX_HOME=${codexHome}`);
      expect(process?.open).not.toEqual([]);
    }
    const files = [codexHome, cwd].flatMap((place) =>
      readdirSync(place, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .flatMap((entry) =>
          ifThere(() => readFileSync(join(entry.parentPath, entry.name), 'latin1')),
        ),
    );
    expect(files.some((content) => content.includes(`CODEX_HOME=${codexHome}`))).toBe(true);
    const all = [...shown.flatMap(({ words, environment }) => [words, environment]), ...files];
    // All tokens for Convex begin with the name of their key, up to the first point.
    const secrets = (await ownSecrets()).map((secret) => secret.split('.')[0] ?? '');
    expect(secrets.filter((secret) => all.some((text) => text.includes(secret)))).toEqual([]);
    const open = shown.flatMap((process) => process.open);
    expect(open.filter((file) => file.startsWith(join(folder.path, 'openagents')))).toEqual([]);
  },
);

/** What the system shows of a process; of one that has ended meanwhile, nothing. */
function shownOf(pid: number): { words: string; environment: string; open: string[] } {
  const read = (name: string) =>
    ifThere(() => readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0').join(' ').trim(), pid);
  return {
    words: read('cmdline').join(''),
    environment: read('environ').join(''),
    open: ifThere(() => readdirSync(`/proc/${pid}/fd`), pid)
      .flat()
      .flatMap((fd) => ifThere(() => readlinkSync(`/proc/${pid}/fd/${fd}`), pid)),
  };
}

/** What is read, or nothing where the file, or the process whose file it is, is there no more. */
function ifThere<Read>(read: () => Read, pid?: number): Read[] {
  try {
    return [read()];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    if (pid !== undefined && !isAlive(pid)) return [];
    throw error;
  }
}
