import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  prepareRun,
  sessionFor,
  type PrepareOptions,
} from '../../../src/actors/codex-process/prepare-run.ts';
import type { OpenRun } from '../../../src/machines/run-events.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => void (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

const run: OpenRun = {
  runId: 'r',
  threadDocId: 'd',
  status: 'pending',
  text: 'do it',
  createdAt: 1,
};
const none = { byDirectory: {} };

function options(changes: Partial<PrepareOptions> = {}): PrepareOptions {
  return {
    lease: ({ text }) => Promise.resolve({ text }),
    findThread: () => Promise.resolve({ threadId: 't', cwd: folder.path }),
    findProject: () => Promise.resolve(null),
    defaultDirectory: '/',
    runRoots: [],
    usualPolicy: { sandbox: 'danger-full-access', approvals: 'never' },
    approvalTimeout: 60_000,
    stallAfter: 1,
    runLimit: 2,
    chooseDriver: () => Promise.resolve('exec'),
    log: () => {},
    ...changes,
  };
}

test('a run goes where its thread is, with full access, which is logged', async () => {
  const logged: unknown[] = [];
  const plan = await prepareRun(options({ log: (...line) => logged.push(line) }), {
    run,
    lastSessions: none,
  });
  expect(plan).toEqual({
    runId: 'r',
    threadId: 't',
    driver: 'exec',
    prompt: 'do it',
    cwd: folder.path,
    sandbox: 'danger-full-access',
    approvals: 'never',
    approvalTimeout: 60_000,
    stallAfter: 1,
    runLimit: 2,
  });
  expect(logged).toEqual([
    [
      'codex runs with full access',
      { runId: 'r', cwd: folder.path, approvals: 'never', driver: 'exec' },
    ],
  ]);
});

test('what the request says beats what the thread says', async () => {
  const thread = { threadId: 't', cwd: folder.path, model: 'theirs', resumeId: 's' };
  const plan = await prepareRun(options({ findThread: () => Promise.resolve(thread) }), {
    run: { ...run, model: 'mine', sandbox: 'read-only', approvals: 'on-request', resumeId: 'x' },
    lastSessions: none,
  });
  expect(plan).toMatchObject({
    model: 'mine',
    sandbox: 'read-only',
    approvals: 'on-request',
    resumeId: 'x',
  });
});

test('what the request says beats the project, which beats the thread and what is usual', async () => {
  const project = {
    workingDir: folder.path,
    model: 'of-project',
    sandbox: 'read-only',
    instructions: 'Be brief.',
    agentFile: 'CLAUDE.md',
  } as const;
  const asked: string[] = [];
  const plan = await prepareRun(
    options({
      findThread: () =>
        Promise.resolve({ threadId: 't', cwd: '/gone', model: 'of-thread', projectId: 'site' }),
      findProject: (id) => {
        asked.push(id);
        return Promise.resolve(project);
      },
    }),
    { run: { ...run, approvals: 'untrusted' }, lastSessions: none },
  );
  expect(asked).toEqual(['site']);
  expect(plan).toMatchObject({
    cwd: folder.path,
    projectId: 'site',
    model: 'of-project',
    sandbox: 'read-only',
    approvals: 'untrusted',
    instructions: 'Be brief.',
    agentFile: 'CLAUDE.md',
  });
});

test('a run of a project that is gone fails: it may have asked for less than full access', async () => {
  const planning = prepareRun(options(), { run: { ...run, projectId: 'x' }, lastSessions: none });
  await expect(planning).rejects.toMatchObject({ code: 'project_unknown' });
});

test('a thread without a directory goes to the default one', async () => {
  const findThread = () => Promise.resolve({ threadId: 't' });
  const plan = await prepareRun(options({ findThread, defaultDirectory: folder.path }), {
    run,
    lastSessions: none,
  });
  expect(plan?.cwd).toBe(folder.path);
});

test('a run that another machine has taken is not planned', async () => {
  const lease = () => Promise.resolve(null);
  expect(await prepareRun(options({ lease }), { run, lastSessions: none })).toBeNull();
});

test('a thread that is gone, and a directory that is none, fail the run with their code', async () => {
  const planning = (changes: Partial<PrepareOptions>) =>
    prepareRun(options(changes), { run, lastSessions: none });
  const at = (cwd: string) => () => Promise.resolve({ threadId: 't', cwd });
  const file = join(folder.path, 'file');
  writeFileSync(file, '');
  await expect(planning({ findThread: () => Promise.resolve(null) })).rejects.toMatchObject({
    code: 'thread_unknown',
  });
  await expect(planning({ findThread: at(join(folder.path, 'none')) })).rejects.toMatchObject({
    code: 'working_directory_missing',
  });
  await expect(planning({ findThread: at(file) })).rejects.toMatchObject({
    code: 'working_directory_missing',
  });
  // It would be the directory in which the daemon was started.
  await expect(planning({ findThread: at('.') })).rejects.toMatchObject({
    code: 'working_directory_missing',
    message: expect.stringContaining('not an absolute path'),
  });
});

test('with roots set, a run works only where its directory truly lies below one of them', async () => {
  const place = folder.path;
  for (const name of ['work/site', 'elsewhere']) mkdirSync(join(place, name), { recursive: true });
  symlinkSync(join(place, 'elsewhere'), join(place, 'work', 'link'));
  const planning = async (cwd: string) =>
    await prepareRun(
      options({
        findThread: () => Promise.resolve({ threadId: 't', cwd }),
        runRoots: [join(place, 'work')],
      }),
      { run, lastSessions: none },
    );
  for (const name of ['work', 'work/site']) {
    expect((await planning(join(place, name)))?.cwd).toBe(join(place, name));
  }
  for (const name of ['.', 'elsewhere', 'work/link', 'work/../elsewhere', 'work/site/../..']) {
    await expect(planning(`${place}/${name}`)).rejects.toMatchObject({
      code: 'working_directory_refused',
      message: expect.stringContaining('OPENAGENTS_RUN_ROOTS'),
    });
  }
});

const own = { threadId: 't', resumeId: 'of-row' };
const fresh = { threadId: 't' };
const lastHere = { byDirectory: { '/w': 'of-directory' } };
const lastOwn = { ofThread: 'of-bridge', ...lastHere };

test.each([
  { asked: 'new', thread: own, last: lastOwn, session: undefined },
  { asked: 'none', thread: own, last: lastOwn, session: undefined },
  { asked: 'abc', thread: own, last: lastOwn, session: 'abc' },
  { asked: undefined, thread: own, last: lastHere, session: 'of-row' },
  { asked: undefined, thread: own, last: lastOwn, session: 'of-bridge' },
  { asked: 'last', thread: own, last: lastHere, session: 'of-row' },
  { asked: 'last', thread: fresh, last: lastHere, session: 'of-directory' },
  { asked: undefined, thread: fresh, last: lastHere, session: undefined },
  { asked: 'last', thread: fresh, last: none, session: undefined },
])('resumeId $asked with $thread and $last takes $session', ({ asked, thread, last, session }) => {
  expect(sessionFor(asked, thread, '/w', last)).toBe(session);
});
