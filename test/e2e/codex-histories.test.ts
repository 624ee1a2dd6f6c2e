/**
 * What Codex itself says a session holds, against what Convex holds of it: real sessions,
 * resumed, forked, interrupted, compacted, reverted, killed and migrated while the real
 * daemon watches, read back through `codex app-server`.
 */
import { appendFileSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startAppServer, type AppServer } from '../support/app-server.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome, runCodex } from '../support/scripted-model/codex-home.ts';
import { hold, patch, reason, say, shell } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { subscribe, type MessageRow, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let model: ScriptedModel;
let codexHome: string;
let workspace: string;
let daemon: DaemonProcess;
let app: Subscriber;
let server: AppServer;

beforeAll(async () => {
  folder = temporaryFolder();
  model = await startScriptedModel({
    '*': [[reason('**Thinking**'), say('I do.')]],
    'use tools': [
      [say('I look first.'), shell('echo from the shell')],
      [patch('*** Add File: note.txt', '+one')],
      [say('Done.')],
    ],
    'be slow': [[say('Wait'), hold('slow'), say('for it')]],
    'be killed': [
      [say('Before'), shell('echo done before')],
      [say('half'), hold('killed')],
    ],
  });
  codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  workspace = join(folder.path, 'workspace');
  mkdirSync(workspace);
  daemon = await startDaemonProcess({ folder: folder.path });
  app = subscribe(daemon);
  server = await startAppServer({ codexHome, cwd: workspace });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await model.close();
  folder[Symbol.dispose]();
});

test('resumed by hand, twice, with tools', async () => {
  const threadId = await exec('remember this');
  await exec('use tools', threadId);
  await exec('remember this', threadId);
  const items = await expectSame(threadId);
  expect(items.filter(({ says }) => says === 'user: remember this')).toHaveLength(2);
  expect(items.map(({ says }) => says)).toContain('cmd: echo from the shell');
});

test('forked, and both go on', async () => {
  const parent = await startThread();
  await turn(parent, 'use tools');
  const { thread } = started.parse(await server.request('thread/fork', { threadId: parent }));
  await turn(thread.id, 'in the fork');
  await turn(parent, 'in the parent');
  await expectSame(parent);
  // Codex reads the parent's part of a fork from the parent; so does who shows it.
  const inherited = await codexItems(parent);
  const items = await expectSame(thread.id, inherited);
  expect(items.map(({ says }) => says)).toEqual([
    'user: in the fork',
    'reason: **Thinking**',
    'assistant: I do.',
  ]);
});

test('interrupted in the middle of an answer', async () => {
  const threadId = await startThread();
  const turnId = await startTurn(threadId, 'be slow');
  await model.reached('slow');
  await server.request('turn/interrupt', { threadId, turnId });
  await completed(turnId);
  model.release('slow');
  await turn(threadId, 'go on');
  await expectSame(threadId);
});

test('compacted', async () => {
  const threadId = await startThread();
  const turnId = await turn(threadId, 'use tools');
  await server.request('thread/compact/start', { threadId });
  await server.notified(({ method, params }) => {
    if (method !== 'turn/completed') return false;
    const end = turnEnded.parse(params);
    return end.threadId === threadId && end.turn.id !== turnId;
  });
  await turn(threadId, 'after it');
  const items = await expectSame(threadId);
  expect(items.map(({ says }) => says)).toContain('system: Context compacted');
});

test('reverted, and reverted again to before that', async () => {
  const threadId = await startThread();
  await turn(threadId, 'one');
  const second = await turn(threadId, 'use tools');
  const third = await turn(threadId, 'three');
  await server.request('thread/revert', { threadId, beforeTurnId: third });
  await turn(threadId, 'four');
  await server.request('thread/revert', { threadId, beforeTurnId: second });
  await turn(threadId, 'five');
  const items = await expectSame(threadId);
  expect(items.map(({ says }) => says).filter((said) => said.startsWith('user'))).toEqual([
    'user: one',
    'user: five',
  ]);
});

test('killed in the middle of a line, and resumed', async () => {
  const child = execa(codexBin, ['exec', '--json', '--skip-git-repo-check', '-'], {
    cwd: workspace,
    input: 'be killed',
    reject: false,
    detached: true,
    env: { CODEX_HOME: codexHome },
  });
  await model.reached('killed');
  // Codex as npm installs it is two processes: the one that was started may leave the other behind.
  process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
  const { stdout } = await child;
  const threadId = threadOf(stdout.split('\n'));
  // No kill can be timed to fall into one write(): what it leaves is made here, the most of a line.
  const [path = ''] = globSync(join(codexHome, 'sessions', '**', `*${threadId}.jsonl`));
  const last = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  appendFileSync(path, last.slice(0, -20));
  await exec('remember this', threadId);
  const items = await expectSame(threadId);
  expect(items.at(-1)).toMatchObject({ says: 'assistant: I do.' });
});

test.each(['while it is watched', 'while the bridge is down'])(
  'kept the older way, and migrated %s',
  async (when) => {
    const threadId = await startThread({ historyMode: 'legacy' });
    await turn(threadId, 'use tools');
    await turn(threadId, 'remember this');
    // The end of a turn is the last that its file says of it.
    const isDone = (rows: MessageRow[]) =>
      rows.filter(isSpoken).length === 5 &&
      rows.filter((row) => isTurn(row) && row.data?.['status'] === 'completed').length === 2;
    const before = await app.messages(threadId, isDone);
    await server[Symbol.asyncDispose]();
    if (when === 'while the bridge is down') await daemon[Symbol.asyncDispose]();
    const migration = await execa(codexBin, ['migrate-rollouts', '--apply'], {
      env: { CODEX_HOME: codexHome },
      all: true,
    });
    expect(migration.all).toContain('1 migrated');
    if (when === 'while the bridge is down') {
      await app[Symbol.asyncDispose]();
      daemon = await startDaemonProcess({ folder: folder.path });
      app = subscribe(daemon);
    }
    const isNumbered = ({ key, turnId }: MessageRow) => key.startsWith(`${turnId}/`);
    const after = await app.messages(threadId, (rows) => rows.filter(isSpoken).every(isNumbered));
    const facts = ({ _id, kind, text, ts }: MessageRow) => ({ _id, kind, text, ts });
    expect(after.map(facts)).toEqual(before.map(facts));
    server = await startAppServer({ codexHome, cwd: workspace });
    // Codex's own migration makes up no items for commands and patches.
    const spoken = (items: Item[]) => items.filter(({ says }) => !/^(?:cmd|file):/.test(says));
    expect(spoken(after.flatMap(itemOfRow))).toEqual(spoken(await codexItems(threadId)));
  },
);

/** An item as both sides know it: Codex's identity, and what it says. */
interface Item {
  key: string;
  says: string;
}

const started = z.object({ thread: z.object({ id: z.string() }) });
const turnStarted = z.object({ turn: z.object({ id: z.string() }) });
const turnEnded = turnStarted.extend({ threadId: z.string() });
const identified = z.object({ id: z.string() });
const threadRead = z.object({
  thread: z.object({ turns: z.array(identified.extend({ items: z.array(identified) })) }),
});
const turnsPage = z.object({ data: z.array(z.object({ id: z.string(), status: z.string() })) });
const itemsPage = z.object({
  data: z.array(
    z.object({ turnId: z.string(), item: z.looseObject({ type: z.string(), id: z.string() }) }),
  ),
  nextCursor: z.string().nullable(),
});

async function exec(prompt: string, resumeId?: string): Promise<string> {
  const { lines, exitCode } = await runCodex({
    codexHome,
    cwd: workspace,
    prompt,
    ...(resumeId === undefined ? {} : { args: ['resume', resumeId] }),
  });
  expect(exitCode).toBe(0);
  return threadOf(lines);
}

function threadOf(lines: readonly string[]): string {
  const event = z.object({ type: z.literal('thread.started'), thread_id: z.string() });
  for (const line of lines) {
    const parsed = line.startsWith('{') ? event.safeParse(JSON.parse(line)) : undefined;
    if (parsed?.success) return parsed.data.thread_id;
  }
  throw new Error(`No thread was started:\n${lines.join('\n')}`);
}

async function startThread(more: object = {}): Promise<string> {
  const given = { cwd: workspace, approvalPolicy: 'never', sandbox: 'danger-full-access' };
  return started.parse(await server.request('thread/start', { ...given, ...more })).thread.id;
}

async function startTurn(threadId: string, text: string): Promise<string> {
  const input = [{ type: 'text', text }];
  return turnStarted.parse(await server.request('turn/start', { threadId, input })).turn.id;
}

async function completed(turnId: string): Promise<void> {
  await server.notified(
    ({ method, params }) =>
      method === 'turn/completed' && turnEnded.parse(params).turn.id === turnId,
  );
}

async function turn(threadId: string, text: string): Promise<string> {
  const turnId = await startTurn(threadId, text);
  await completed(turnId);
  return turnId;
}

/** Waits until Convex holds what Codex says, and nothing else; `inherited` is held elsewhere. */
async function expectSame(threadId: string, inherited: readonly Item[] = []): Promise<Item[]> {
  const keys = new Set(inherited.map(({ key }) => key));
  const said = await codexItems(threadId);
  expect(await codexKeys(threadId)).toEqual(said.map(({ key }) => key));
  const turns = (await codexTurns(threadId)).filter(
    ([id]) => !inherited.some(({ key }) => key.startsWith(`${id}/`)),
  );
  const expected = { items: said.filter(({ key }) => !keys.has(key)), turns };
  let held: { items: Item[]; turns: unknown[] } = { items: [], turns: [] };
  let isSame = false;
  void app.messages(threadId, (rows) => {
    held = { items: rows.flatMap(itemOfRow), turns: rows.filter(isTurn).map(turnOfRow) };
    isSame = isDeepStrictEqual(held, expected);
    return isSame;
  });
  // Whatever it waited for in vain, the difference says more.
  await until('Convex holds what Codex says', () => isSame).catch(() => {});
  expect(held).toEqual(expected);
  return held.items;
}

async function codexItems(threadId: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null = null; ;) {
    const page = itemsPage.parse(
      await server.request('thread/items/list', { threadId, limit: 100, cursor }),
    );
    for (const { turnId, item } of page.data) {
      items.push({ key: `${turnId}/${item.id}`, says: codexSays(item) });
    }
    cursor = page.nextCursor;
    if (cursor === null) return items;
  }
}

/** The items by the older way to read a thread, all at once. */
async function codexKeys(threadId: string): Promise<string[]> {
  const whole = { threadId, includeTurns: true };
  const { thread } = threadRead.parse(await server.request('thread/read', whole));
  return thread.turns.flatMap(({ id, items }) => items.map((item) => `${id}/${item.id}`));
}

/** Id and status of each turn, as Codex has them. */
async function codexTurns(threadId: string): Promise<[string, string][]> {
  const page = turnsPage.parse(
    await server.request('thread/turns/list', { threadId, limit: 100, sortDirection: 'asc' }),
  );
  return page.data.map(({ id, status }) => [id, status]);
}

function turnOfRow({ key, data }: MessageRow): [string, unknown] {
  return [key, data?.['status']];
}

const texts = z.array(z.object({ text: z.string() }));

function codexSays(item: Record<string, unknown>): string {
  switch (item['type']) {
    case 'userMessage':
      return `user: ${texts
        .parse(item['content'])
        .map(({ text }) => text)
        .join('\n')}`;
    case 'agentMessage':
      return `assistant: ${String(item['text'])}`;
    case 'reasoning':
      return `reason: ${z.array(z.string()).parse(item['summary']).join('\n\n')}`;
    case 'commandExecution':
      return `cmd: ${String(item['command']).replace(/^\S*sh -l?c '(.*)'$/s, '$1')}`;
    case 'fileChange':
      return `file: ${z
        .array(z.object({ path: z.string() }))
        .parse(item['changes'])
        .map(({ path }) => path)
        .join()}`;
    case 'contextCompaction':
      return 'system: Context compacted';
    default:
      return `${String(item['type'])}: ?`;
  }
}

/** Turns are no items for Codex. */
function itemOfRow({ key, kind, role, text = '' }: MessageRow): Item[] {
  if (kind === 'turn') return [];
  if (kind === 'message') return [{ key, says: `${role}: ${text}` }];
  return [{ key, says: `${kind}: ${kind === 'file' ? text.replace(/^\w+ /, '') : text}` }];
}

function isTurn({ kind }: MessageRow): boolean {
  return kind === 'turn';
}

function isSpoken({ kind }: MessageRow): boolean {
  return kind === 'message';
}
