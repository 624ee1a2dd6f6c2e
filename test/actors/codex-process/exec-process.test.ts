import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listProcesses } from '../../../src/actors/codex-process/process-table.ts';
import { shellProgram, startProcess, type ProcessUnderTest } from '../../support/codex-process.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let started: ProcessUnderTest[];
beforeEach(() => {
  folder = temporaryFolder();
  started = [];
});
afterEach(() => {
  for (const it of started) it.stop();
  folder[Symbol.dispose]();
});

function program(...lines: string[]) {
  return run({ bin: shellProgram(folder.path, ...lines) });
}
function run(...args: Parameters<typeof startProcess>) {
  const it = startProcess(...args);
  started.push(it);
  return it;
}
const alive = async (pid: number) => (await listProcesses()).some((row) => row.pid === pid);

describe('a process that runs', () => {
  test('is told of, line by line, and ends with its exit code', async () => {
    const codex = program(
      'prompt=$(cat)',
      `echo '{"type":"thread.started","thread_id":"s1"}'`,
      'echo "got $prompt" >&2',
      `echo '{"type":"turn.started"}'`,
      `echo '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"hi"}}'`,
      `printf '{"type":"turn.completed","usage":{"input_tokens":3,"cached_input_tokens":0,"output_tokens":4}}'`,
    );
    const exit = await codex.told('process.exited');
    expect(exit).toMatchObject({ exitCode: 0, signal: null });
    expect(codex.lines()).toContain('got hello');
    expect(await codex.told('process.session')).toMatchObject({ resumeId: 's1' });
    expect(await codex.told('process.turnEnded')).toMatchObject({
      turn: { status: 'completed', usage: { inputTokens: 3, outputTokens: 4 } },
    });
    const texts = codex.events.flatMap((event) =>
      event.type === 'process.items' ? event.items.map(({ kind, text }) => [kind, text]) : [],
    );
    expect(texts).toContainEqual(['message', 'hi']);
    expect(codex.events.at(-1)).toBe(exit);
  });

  test('hands lines on verbatim, cut at the newline only', async () => {
    const codex = program(`printf 'a\\342\\200\\250b  \\nlast without end'`);
    await codex.told('process.exited');
    expect(codex.lines()).toEqual(expect.arrayContaining(['a\u2028b  ', 'last without end']));
  });

  test('says why it failed: the error of the turn before stderr', async () => {
    const codex = program(
      'echo "Error: noise" >&2',
      `echo '{"type":"error","message":"{\\"error\\":{\\"message\\":\\"no credit\\"}}"}'`,
      `echo '{"type":"turn.failed","error":{"message":"{\\"error\\":{\\"message\\":\\"no credit\\"}}"}}'`,
      'exit 1',
    );
    const exit = await codex.told('process.exited');
    expect(exit).toMatchObject({ exitCode: 1, error: 'no credit' });
  });

  test('says why it failed: the last word on stderr, without the backtrace', async () => {
    const codex = program(
      'echo "WARNING: proceeding" >&2',
      `printf '\\033[31mError: no rollout found\\033[0m\\n' >&2`,
      'echo "Stack backtrace:" >&2',
      'echo "   0: <unknown>" >&2',
      'exit 1',
    );
    const exit = await codex.told('process.exited');
    expect(exit.error).toBe('Error: no rollout found');
  });

  test('goes on over lines that mean nothing, and says so once', async () => {
    const codex = program('echo nonsense', 'echo more nonsense', `echo '{"type":"novelty"}'`);
    const exit = await codex.told('process.exited');
    expect(exit.exitCode).toBe(0);
    const notes = codex.lines().filter((line) => line.startsWith('oa-bridge:'));
    expect(notes).toEqual([
      'oa-bridge: a line was not understood: not JSON',
      'oa-bridge: a line was not understood: unknown event novelty',
    ]);
  });

  test('may print a line without end: it is left out, and memory stays flat', async () => {
    const codex = program(`head -c 20000000 /dev/zero | tr '\\0' x`, 'echo', 'echo after');
    await codex.told('process.exited');
    expect(codex.lines()).toEqual([
      'oa-bridge: a line of 20000000 bytes was too long for the stream and was left out',
      'after',
      'oa-bridge: a line was not understood: not JSON',
    ]);
  });

  test('may leave its prompt unread, however long', async () => {
    const codex = run(
      { bin: shellProgram(folder.path, 'exit 3') },
      { prompt: 'x'.repeat(1_000_000) },
    );
    expect(await codex.told('process.exited')).toMatchObject({ exitCode: 3 });
  });

  test('does not wait for a grandchild that keeps its output open', async () => {
    const codex = program('sleep 300 & echo "$!"', 'exit 0');
    await codex.told('process.exited');
    process.kill(Number(codex.lines()[0]), 'SIGKILL');
  });
});

test.runIf(process.platform === 'linux')(
  'a process that is killed leaves nothing behind, not even what has left it already',
  async () => {
    const codex = program('setsid sleep 300 & echo "$!"', 'kill -9 $$');
    expect(await codex.told('process.exited')).toMatchObject({ signal: 'SIGKILL' });
    const left = Number(codex.lines()[0]);
    await until('what it has started is gone', async () => !(await alive(left)));
  },
);

describe('a process that cannot start', () => {
  test('is refused when there is no such program', async () => {
    const { error } = await run({ bin: 'no-such-codex' }).told('process.refused');
    expect(error).toMatchObject({ code: 'codex_missing' });
    expect(error.message).toContain('CODEX_BIN');
  });

  test('is refused when an argument is too long for the system', async () => {
    const extraArguments = ['x'.repeat(4_000_000)];
    const { error } = await run({ bin: '/bin/true', extraArguments }).told('process.refused');
    expect(error).toMatchObject({ code: 'codex_failed' });
    expect(error.message).toContain('E2BIG');
  });

  test('is refused when an argument holds a zero byte', async () => {
    const { error } = await run({ bin: '/bin/true' }, { model: 'a\0b' }).told('process.refused');
    expect(error).toMatchObject({ code: 'codex_failed' });
  });
});

describe('a process that is ended', () => {
  test('is ended by SIGINT when it listens', async () => {
    const codex = program(`trap 'echo bye; exit 7' INT`, 'echo up', 'while :; do sleep 0.05; done');
    await codex.told('process.lines', ({ lines }) => lines.includes('up'));
    codex.signal('SIGINT');
    expect(await codex.told('process.exited')).toMatchObject({ exitCode: 7 });
    expect(codex.lines()).toContain('bye');
  });

  test('is ended by SIGKILL when it ignores the rest', async () => {
    const codex = program(`trap '' INT TERM`, 'echo up', 'while :; do sleep 0.05; done');
    await codex.told('process.lines', ({ lines }) => lines.includes('up'));
    codex.signal('SIGINT');
    codex.signal('SIGTERM');
    codex.signal('SIGKILL');
    expect(await codex.told('process.exited')).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    '%s ends the commands that run in sessions of their own, too',
    async (signal) => {
      const codex = program(
        // As Codex does it: a session leader below, and below that what it runs.
        `setsid sh -c 'sleep 300 & echo "$!"; wait' &`,
        'wait',
      );
      const [line] = (await codex.told('process.lines')).lines;
      codex.signal(signal);
      expect(await codex.told('process.exited')).toMatchObject({ signal });
      await until('the grandchild is gone', async () => !(await alive(Number(line))));
    },
  );

  test('ends with the actor, and its tree with it', async () => {
    const codex = program('sleep 300 &', 'echo "$!"', 'wait');
    const { pid } = await codex.told('process.spawned');
    const [line] = (await codex.told('process.lines')).lines;
    codex.stop();
    await until('both are gone', async () => !(await alive(pid)) && !(await alive(Number(line))));
  });
});

test('the guard knows of the process before it has its prompt, and until it ends', async () => {
  const life: string[] = [];
  const added = Promise.withResolvers<void>();
  const codex = run({
    bin: shellProgram(folder.path, 'echo up', 'cat'),
    guard: {
      add: async (runId) => {
        life.push(`add ${runId}`);
        await added.promise;
      },
      remove: () => life.push('remove'),
    },
  });
  await codex.told('process.lines', ({ lines }) => lines.includes('up'));
  expect(life).toEqual(['add r1']);
  added.resolve();
  await codex.told('process.lines', ({ lines }) => lines.includes('hello'));
  await codex.told('process.exited');
  expect(life).toEqual(['add r1', 'remove']);
});
