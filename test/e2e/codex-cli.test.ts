/** The real Codex CLI under the process actor, answered by a scripted model. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { childEnvironment } from '../../src/actors/codex-process/child-environment.ts';
import { codexVersion } from '../../src/actors/codex-process/codex-version.ts';
import { findProcess, listProcesses } from '../../src/actors/codex-process/process-table.ts';
import type { RunPlan } from '../../src/machines/codex-process-events.ts';
import { startProcess, type ProcessUnderTest } from '../support/codex-process.ts';
import {
  codeModeModel,
  codexBin,
  makeCodexHome,
  runCodex,
} from '../support/scripted-model/codex-home.ts';
import {
  fail,
  hangUp,
  hold,
  patch,
  plan,
  reason,
  refuse,
  say,
  shell,
} from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let model: ScriptedModel;
let codexHome: string;
let workspace: string;
let codex: ProcessUnderTest | undefined;

beforeAll(async () => {
  folder = temporaryFolder();
  model = await startScriptedModel({
    'write a note': [
      [reason('**Thinking** of it'), say('I look first.'), plan({ look: 'in_progress' })],
      [shell('echo from the shell')],
      [patch('*** Add File: note.txt', '+one')],
      [plan({ look: 'completed' })],
      [say('Done.')],
    ],
    remember: [[say('I do.')]],
    'try it': [[shell('touch forbidden.txt')], [say('Tried.')]],
    'show your environment': [[shell('env')], [say('Shown.')]],
    'be slow': [[say('Wait'), hold('slow'), say('for it')]],
    'run for long': [[shell('echo started; sleep 300 & wait', 60_000)], [say('Never.')]],
    'leave behind': [[shell('nohup sleep 300 & wait', 1_000)], [hold('left behind')]],
    'be refused': [[refuse(400, 'no such model')]],
    'be overloaded': [[refuse(500, 'busy')]],
    'break down': [[fail('the model broke')]],
    'lose the line': [[say('half'), hangUp()]],
  });
  codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
});
beforeEach(async ({ task }) => {
  codex = undefined;
  workspace = join(folder.path, task.id);
  await mkdir(workspace);
});
afterEach(() => codex?.stop());
afterAll(async () => {
  await model.close();
  folder[Symbol.dispose]();
});

function run(prompt: string, planned: Partial<RunPlan> = {}, env = process.env): ProcessUnderTest {
  codex = startProcess(
    { bin: codexBin, env: childEnvironment(env, codexHome) },
    { prompt, cwd: workspace, ...planned },
  );
  return codex;
}

/** Kind and text of each item as it stood at the end. */
function itemsOf({ events }: ProcessUnderTest) {
  const items = events.flatMap((event) => (event.type === 'process.items' ? event.items : []));
  return [...new Map(items.map((item) => [item.key, item])).values()];
}

test('says which version it is', async () => {
  const env = childEnvironment(process.env, codexHome);
  expect(await codexVersion(codexBin, env)).toBe('0.169.0');
  await expect(codexVersion('no-such-codex', env)).rejects.toMatchObject({ code: 'codex_missing' });
});

test.each([{ model: 'gpt-5.5' }, { model: codeModeModel }])(
  'a run of $model through words, a plan, a command and a change of files',
  async ({ model: name }) => {
    const running = run('write a note', { model: name });
    const { exitCode } = await running.told('process.exited');
    expect(exitCode).toBe(0);
    expect(readFileSync(join(workspace, 'note.txt'), 'utf8')).toBe('one\n');
    const { resumeId } = await running.told('process.session');
    expect(resumeId).toMatch(/^[0-9a-f-]{36}$/);
    const items = itemsOf(running);
    expect(items.map(({ kind }) => kind)).toEqual([
      'turn',
      'reason',
      'message',
      'todo',
      'cmd',
      'file',
      'message',
    ]);
    expect(items.find(({ kind }) => kind === 'cmd')).toMatchObject({
      data: { exitCode: 0, output: 'from the shell\n' },
      provisional: true,
      runId: 'r1',
    });
    expect(items.at(-1)).toMatchObject({ role: 'assistant', text: 'Done.' });
    expect(await running.told('process.turnEnded')).toMatchObject({
      turn: { status: 'completed', usage: { inputTokens: 50, outputTokens: 25 } },
    });
    expect(running.lines().filter((line) => line.startsWith('{')).length).toBeGreaterThan(9);
    expect(model.surprises).toEqual([]);
  },
);

test('a session is gone on with, by its id', async () => {
  const first = run('remember');
  await first.told('process.exited');
  const { resumeId } = await first.told('process.session');
  const second = run('remember', { resumeId });
  expect(await second.told('process.exited')).toMatchObject({ exitCode: 0 });
  expect(await second.told('process.session')).toMatchObject({ resumeId });
});

test('a session that does not exist fails with Codex’s own words', async () => {
  const running = run('remember', { resumeId: '01a20a27-21c2-7603-80e8-6c6d3407a159' });
  const exit = await running.told('process.exited');
  expect(exit).toMatchObject({ exitCode: 1 });
  expect(exit.error).toContain('no rollout found');
});

test.skipIf(process.platform === 'win32')('a sandbox that is asked for is kept', async () => {
  const running = run('try it', { sandbox: 'read-only' });
  await running.told('process.exited');
  expect(existsSync(join(workspace, 'forbidden.txt'))).toBe(false);
});

test('a prompt that looks like a flag is a prompt', async () => {
  const running = run('--dangerously-bypass-approvals-and-sandbox: try it', {
    sandbox: 'read-only',
  });
  await running.told('process.exited');
  expect(model.requests.at(-1)?.prompt).toContain('--dangerously-bypass');
  expect(existsSync(join(workspace, 'forbidden.txt'))).toBe(false);
});

test('no secret of the bridge reaches a command of the model', async () => {
  const env = { ...process.env, OPENAGENTS_BRIDGE_TOKEN: 'the-token', PROVIDER_SETTING: 'wanted' };
  const running = run('show your environment', {}, env);
  await running.told('process.exited');
  const printed = running.lines().join('\n');
  expect(printed).toContain('PROVIDER_SETTING=wanted');
  expect(printed).not.toContain('the-token');
});

describe('a run that fails', () => {
  test.each([
    { prompt: 'be refused', error: 'no such model' },
    { prompt: 'be overloaded', error: 'high demand' },
    { prompt: 'break down', error: 'the model broke' },
    { prompt: 'lose the line', error: 'stream disconnected' },
  ])('because it is to $prompt says: $error', async ({ prompt, error }) => {
    const running = run(prompt);
    const exit = await running.told('process.exited');
    expect(exit.exitCode).toBe(1);
    expect(exit.error).toContain(error);
    expect(await running.told('process.turnEnded')).toMatchObject({ turn: { status: 'failed' } });
  });
});

describe('a run that is ended', () => {
  test('by SIGINT in the middle of a stream ends at once', async () => {
    const running = run('be slow');
    await model.reached('slow');
    await running.told('process.items', ({ items }) => items.some(({ text }) => text === 'Wait'));
    running.signal('SIGINT');
    expect(await running.told('process.exited')).toMatchObject({ exitCode: 1 });
    expect(itemsOf(running).map(({ text }) => text)).not.toContain('for it');
    expect(itemsOf(running).find(({ kind }) => kind === 'turn')).toMatchObject({
      data: { status: 'interrupted' },
    });
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'by %s takes its commands with it',
    async (signal) => {
      const running = run('run for long');
      await running.told('process.items', ({ items }) => items.some(({ kind }) => kind === 'cmd'));
      const { pid } = await running.told('process.spawned');
      const sleeping = async () => {
        const table = await listProcesses();
        return table.filter((row) => row.pid !== pid && belongsTo(row.pid, pid, table));
      };
      await until('the command sleeps', async () => (await sleeping()).length >= 2);
      const commands = await sleeping();
      running.signal(signal);
      await running.told('process.exited');
      // Nothing stays "in progress" for ever on anybody's screen.
      expect(itemsOf(running).filter(({ partial }) => partial === true)).toEqual([]);
      for (const command of commands) {
        await until(`${command.pid} is gone`, async () => {
          return (await findProcess(command.pid))?.startedAt !== command.startedAt;
        });
      }
    },
  );
});

test('a run that is killed by somebody else takes its commands with it', async () => {
  const running = run('leave behind');
  // By then its command has been going on for a second.
  await model.reached('left behind');
  const { pid } = await running.told('process.spawned');
  const table = await listProcesses();
  const commands = table.filter((row) => row.pid !== pid && belongsTo(row.pid, pid, table));
  expect(commands.length).toBeGreaterThanOrEqual(2);
  // With its launcher, if it has one; its commands have groups of their own.
  process.kill(-pid, 'SIGKILL');
  expect(await running.told('process.exited')).toMatchObject({ signal: 'SIGKILL' });
  for (const command of commands) {
    await until(`${command.pid} is gone`, async () => {
      return (await findProcess(command.pid))?.startedAt !== command.startedAt;
    });
  }
});

test('a run by hand, outside of any bridge, works on the same home', async () => {
  const { lines, exitCode } = await runCodex({ codexHome, cwd: workspace, prompt: 'remember' });
  expect(exitCode).toBe(0);
  expect(lines.at(-1)).toContain('turn.completed');
});

function belongsTo(
  pid: number,
  root: number,
  table: Awaited<ReturnType<typeof listProcesses>>,
): boolean {
  const row = table.find((one) => one.pid === pid);
  return row !== undefined && (row.parent === root || belongsTo(row.parent, root, table));
}
