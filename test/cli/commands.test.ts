/** The commands of `oa-bridge` as a person or a script runs them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bridgeStatusFrame } from '../../src/control/frames.ts';
import { commandLine, firstOutput } from '../support/command-line.ts';
import { processGone, startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { answerAsWebServer, freePort, holdPort } from '../support/ports.ts';
import { descendants } from '../support/processes.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { fail, hold, say, shell } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('help and wrong arguments', () => {
  test.each([[['--help']], [['help', 'start']], [['submit', '--help']], [['--version']]])(
    '%j goes to standard output with exit code 0',
    async (args) => {
      const { exitCode, stdout, stderr } = await commandLine('/nowhere', args);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(args.includes('--version') ? /^\d+\.\d+\.\d+$/ : /^Usage: oa-bridge/);
    },
  );

  test.each([
    [[], 'Usage: oa-bridge'],
    [['begin'], "unknown command 'begin'"],
    [['status', '--colour'], "unknown option '--colour'"],
    [['submit'], "missing required argument 'text'"],
    [['status', '--bind', 'here'], '--bind is "here", but must be host:port'],
    [['convex', '--convex-port', '70000'], '--convex-port is "70000", but must be'],
    [['submit', ' '], 'the prompt is empty'],
  ])('%j is told on standard error with exit code 2', async (args, message) => {
    const { exitCode, stdout, stderr } = await commandLine('/nowhere', args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});

describe('without a daemon', () => {
  test('convex export and import carry the data of one home to another', async () => {
    using folder = temporaryFolder();
    using target = temporaryFolder();
    const file = join(folder.path, 'snapshot.zip');
    const port = await freePort();
    const environment = { OPENAGENTS_CONVEX_PORT: String(port) };
    const served = commandLine(folder.path, ['convex', '--json'], environment);
    await firstOutput(served);
    // While it is served by the backend, afterwards from the file.
    const running = await commandLine(folder.path, ['convex', 'export', file], environment);
    expect(running).toMatchObject({ exitCode: 0, stderr: '' });
    const none = await commandLine(target.path, ['convex', 'export', `${file}1`], environment);
    expect([none.exitCode, none.stderr]).toEqual([1, expect.stringContaining('no database')]);
    const busy = await commandLine(folder.path, ['convex', 'import', file, '--replace']);
    expect([busy.exitCode, busy.stderr]).toEqual([1, expect.stringContaining('must be stopped')]);
    served.kill('SIGTERM');
    await served;
    const again = await commandLine(folder.path, ['convex', 'export', file], environment);
    expect([again.exitCode, again.stderr]).toEqual([
      1,
      expect.stringContaining('is there already'),
    ]);
    const closed = await commandLine(folder.path, ['convex', 'export', `${file}2`], environment);
    expect(closed).toMatchObject({ exitCode: 0, stderr: '' });
    for (const each of [file, `${file}2`]) {
      const imported = await commandLine(target.path, ['convex', 'import', each]);
      expect(imported).toMatchObject({ exitCode: 0, stderr: '' });
      expect(imported.stdout).toContain('threads 0');
    }
  });

  test('token makes a token, and prints the same one from then on', async () => {
    using folder = temporaryFolder();
    const first = await commandLine(folder.path, ['token']);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toMatch(/^[\w-]{43}$/);
    expect((await commandLine(folder.path, ['token'])).stdout).toBe(first.stdout);
  });

  test('token --convex prints a token for an app, and --jwks the keys that it is checked with', async () => {
    using folder = temporaryFolder();
    const { stdout: signed } = await commandLine(folder.path, ['token', '--convex']);
    expect(decodeJwt(signed)).toMatchObject({ iss: 'openagents-bridge', role: 'client' });
    const { stdout: keys } = await commandLine(folder.path, ['token', '--jwks']);
    const jwks = await keySetAt(keys);
    expect(jwks.keys).toHaveLength(1);
    expect(jwks.keys[0]).not.toHaveProperty('d');
    await jwtVerify(signed, createLocalJWKSet(jwks));

    // A second bridge on the same deployment adds its own, once.
    using other = temporaryFolder();
    const { stdout: both } = await commandLine(other.path, ['token', '--jwks', keys]);
    const { stdout: again } = await commandLine(other.path, ['token', '--jwks', both]);
    expect(again).toBe(both);
    await jwtVerify(signed, createLocalJWKSet(await keySetAt(both)));
    const wrong = await commandLine(other.path, ['token', '--jwks', 'https://example.com']);
    expect(wrong.exitCode).toBe(2);
  });

  test.each([[['status']], [['submit', 'hello']]])(
    '%j says in one line how to start one, with exit code 3',
    async (args) => {
      using folder = temporaryFolder();
      await commandLine(folder.path, ['token']);
      const { exitCode, stdout, stderr } = await commandLine(folder.path, args, {
        OPENAGENTS_BIND: '127.0.0.1:1',
      });
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
      expect(stderr).toMatch(/^oa-bridge: No bridge answers; start it with "oa-bridge start".*$/);
    },
  );

  test('a program that is no bridge is told apart from none', async () => {
    using folder = temporaryFolder();
    using other = await holdPort(answerAsWebServer);
    await commandLine(folder.path, ['token']);
    const { exitCode, stderr } = await commandLine(folder.path, ['status'], {
      OPENAGENTS_BIND: `127.0.0.1:${other.port}`,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/HTTP status 200, so it is no bridge.*\[bridge_refused\]$/);
  });
});

describe('convex', () => {
  test('serves alone until Ctrl-C, and its address is told in one line', async () => {
    using folder = temporaryFolder();
    const backend = commandLine(folder.path, ['convex', '--json']);
    const { url } = JSON.parse(await firstOutput(backend));
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(`${url}/api/query`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ path: 'threads:list', args: { limit: 1 }, format: 'json' }),
      });
      return await response.json();
    };
    expect(await ask({})).toMatchObject({ errorData: { code: 'unauthenticated' } });
    const { stdout: token } = await commandLine(folder.path, ['token', '--convex']);
    expect(await ask({ authorization: `Bearer ${token}` })).toMatchObject({
      status: 'success',
      value: [],
    });
    backend.kill('SIGINT');
    expect(await backend).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('that cannot serve says why in one line, with exit code 1', async () => {
    using folder = temporaryFolder();
    using other = await holdPort();
    const { exitCode, stdout, stderr } = await commandLine(folder.path, ['convex'], {
      OPENAGENTS_CONVEX_PORT: String(other.port),
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^oa-bridge: The address is already in use; .*\[port_taken\]$/);
  });
});

describe('with a daemon', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let model: ScriptedModel;
  let daemon: DaemonProcess;
  let env: Record<string, string>;

  beforeAll(async () => {
    folder = temporaryFolder();
    model = await startScriptedModel({
      'say hello': [[say('I will look.'), shell('echo looked')], [say('Hello, world.')]],
      'go wrong': [[fail('the model is on fire')]],
      'for ever': [[say('Begun.'), hold('never')]],
      'make it': [[shell('touch made')], [say('Made.')]],
    });
    makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
    mkdirSync(join(folder.path, 'project'));
    daemon = await startDaemonProcess({ folder: folder.path, env: { CODEX_BIN: codexBin } });
    env = {
      OPENAGENTS_BIND: new URL(daemon.controlUrl).host,
      OPENAGENTS_BRIDGE_TOKEN: daemon.token,
    };
  });

  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
    await model.close();
    folder[Symbol.dispose]();
  });

  const run = (...args: string[]) => commandLine(folder.path, args, env);
  const submit = (...args: string[]) =>
    run('submit', '--cd', join(folder.path, 'project'), ...args);

  test('status shows a person what runs, and a script the frame itself', async () => {
    const shown = await run('status');
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout).toMatch(/^oa-bridge \d+\.\d+\.\d+ {2}pid \d+ {2}up \d+s$/m);
    expect(shown.stdout).toContain(`convex    ${daemon.convexUrl}  healthy`);
    expect(shown.stdout).toMatch(/^sessions {2}\d+ files?$/m);
    expect(shown.stdout).toMatch(/^ {2}convex +convexLink +online +\d+s +0$/m);
    expect(shown.stdout).toMatch(/^ {2}library .*\n {4}projects .*\n {6}changes /m);
    // The client of the command before has gone.
    expect(shown.stdout).not.toMatch(/ closed /);
    expect(shown.stdout).not.toContain('\u001b');
    const { stdout } = await run('status', '--json');
    expect(bridgeStatusFrame.parse(JSON.parse(stdout))).toMatchObject({ pid: daemon.pid });
  });

  test('a wrong token is told as such, with exit code 1', async () => {
    const { exitCode, stderr } = await commandLine(folder.path, ['status'], {
      ...env,
      OPENAGENTS_BRIDGE_TOKEN: 'not-the-token-of-this-bridge',
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/it has another token.*\[bridge_refused\]$/);
    expect(stderr).not.toContain('not-the-token');
  });

  test('submit prints the answer on standard output and the commands beside it', async () => {
    const { exitCode, stdout, stderr } = await submit('say', 'hello');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'I will look.\nHello, world.' });
    expect(stderr).toMatch(/^\$ .*echo looked/m);
  });

  test("submit --json prints Codex's own lines; the prompt may come by standard input", async () => {
    const running = submit('--json', '-');
    running.stdin.end('say hello');
    const { exitCode, stdout } = await running;
    expect(exitCode).toBe(0);
    const methods = stdout.split('\n').map((line) => JSON.parse(line).method);
    expect(methods).toEqual(expect.arrayContaining(['thread/started', 'turn/completed']));
  });

  test('submit --cd means a directory as seen from the command, not from the daemon', async () => {
    const project = join(folder.path, 'project');
    const { exitCode } = await run('submit', '--cd', relative('.', project), 'say hello');
    expect(exitCode).toBe(0);
    const bridge = await daemon.connect();
    expect(await bridge.request('runs.list', { limit: 1 })).toMatchObject({
      items: [{ cwd: project }],
    });
    bridge.close();
  });

  test('submit of a run that fails ends with what Codex said, and exit code 1', async () => {
    const { exitCode, stdout, stderr } = await submit('go wrong');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^oa-bridge: the run failed: .*the model is on fire \[codex_failed\]$/m);
  });

  test('submit to a thread that does not exist says so, with exit code 1', async () => {
    const { exitCode, stderr } = await submit('--thread', 'nobody', 'say hello');
    expect(exitCode).toBe(1);
    expect(stderr).toBe('oa-bridge: No thread has this id: nobody [not_found]');
  });

  test('submit --no-follow only begins a run; attach prints it, and leaves it to Ctrl-C; interrupt ends it', async () => {
    const { stdout: runId } = await submit('--no-follow', 'for ever');
    const attached = run('attach', runId);
    await firstOutput(attached);
    attached.kill('SIGINT');
    expect(await attached).toMatchObject({ exitCode: 130 });
    // How far a run is, is written down a moment after it was told.
    await expect
      .poll(async () => (await run('runs', '--limit', '1')).stdout)
      .toMatch(new RegExp(`^RUN .*\n${runId} +running .*\n {2}\\w+ {2}for ever\n {2}.* ago$`));
    expect(await run('interrupt', runId)).toMatchObject({ stdout: `${runId} interrupting` });
    // What has ended is told again.
    expect(await run('attach', runId)).toMatchObject({ exitCode: 130, stdout: 'Begun.' });
  });

  test('runs lists what each run used, and is a script’s too', async () => {
    const { stdout: runId } = await submit('--no-follow', 'say hello');
    expect((await run('attach', runId)).stdout).toBe('I will look.\nHello, world.');
    await expect
      .poll(async () => (await run('runs', '--limit', '1')).stdout)
      .toMatch(new RegExp(`^${runId} +done +\\d+s +\\d+ `, 'm'));
    const [row] = JSON.parse((await run('runs', '--limit', '1', '--json')).stdout);
    expect(row).toMatchObject({ _id: runId, status: 'done', usage: expect.any(Object) });
  });

  test('interrupt without an id, when no run goes on, says so, with exit code 1', async () => {
    const { exitCode, stdout, stderr } = await run('interrupt');
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'oa-bridge: no run goes on.',
    });
  });

  test('record ends at once when its file is there already, and leaves that as it is', async () => {
    const file = join(folder.path, 'kept.jsonl');
    writeFileSync(file, 'kept');
    const { exitCode, stderr } = await run('record', '--out', file);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('is there already')]);
    expect(readFileSync(file, 'utf8')).toBe('kept');
  });

  test('submit --project of one that is not there says so, with exit code 1', async () => {
    const { exitCode, stderr } = await run('submit', '--project', 'nowhere', 'hello');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('No project has this id: nowhere on this machine [not_found]');
  });

  test('submit says that its run waits for an approval, and goes on with the answer', async () => {
    const home = join(folder.path, 'openagents', 'projects', 'careful');
    mkdirSync(home, { recursive: true });
    const project = `name: Careful\nworkingDir: ${join(folder.path, 'project')}\napprovals: untrusted`;
    writeFileSync(join(home, 'PROJECT.md'), `---\n${project}\n---\n`);
    const running = run('submit', '--project', 'careful', 'make it');
    const bridge = await daemon.connect();
    bridge.on('bridge.approval', ({ approvalId, state }) => {
      if (state === 'open')
        void bridge.request('approval.answer', { approvalId, decision: 'accept' });
    });
    const { exitCode, stdout, stderr } = await running;
    bridge.close();
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'Made.' });
    expect(stderr).toMatch(/^oa-bridge: waits for an approval: .*touch made.*$/m);
  });

  test('Ctrl-C while a run goes on interrupts the run itself, with exit code 130', async () => {
    const running = submit('for ever');
    await firstOutput(running);
    running.kill('SIGINT');
    const { exitCode, stdout, stderr } = await running;
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: 'Begun.' });
    expect(stderr).toContain('the run was ended');
    const bridge = await daemon.connect();
    expect(await bridge.request('bridge.status')).toMatchObject({ runs: { active: 0, queued: 0 } });
    bridge.close();
  });
});

test('a daemon that ends while a command waits for its run is told, with exit code 3', async () => {
  using folder = temporaryFolder();
  await using model = await startScriptedModel({ '*': [[say('Begun.'), hold('never')]] });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  const daemon = await startDaemonProcess({ folder: folder.path, env: { CODEX_BIN: codexBin } });
  const running = commandLine(folder.path, ['submit', '--cd', folder.path, 'wait'], {
    OPENAGENTS_BIND: new URL(daemon.controlUrl).host,
    OPENAGENTS_BRIDGE_TOKEN: daemon.token,
  });
  await firstOutput(running);
  const below = await descendants(daemon.pid);
  daemon.kill('SIGKILL');
  const { exitCode, stderr } = await running;
  expect(exitCode).toBe(3);
  expect(stderr).toMatch(/No bridge answers.*ended before the run did/);
  await daemon.exited;
  // Until then they write into the folder.
  for (const { pid, command } of below) expect(await processGone(pid), command).toBe(true);
});

test('a damaged bridge.json is named by every command that needs it, and left as it is', async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'openagents', 'bridge.json');
  mkdirSync(join(folder.path, 'openagents'), { mode: 0o700 });
  writeFileSync(file, '{"token":', { mode: 0o600 });
  for (const command of ['start', 'status', 'token']) {
    const { exitCode, stderr } = await commandLine(folder.path, [command]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${file} is not what the bridge wrote; repair or remove it`);
  }
  expect(readFileSync(file, 'utf8')).toBe('{"token":');
});

async function keySetAt(url: string): Promise<JSONWebKeySet> {
  // createLocalJWKSet refuses what is none.
  return (await (await fetch(url)).json()) as JSONWebKeySet;
}
