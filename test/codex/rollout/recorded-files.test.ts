import { expect, test } from 'vitest';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { finalItems, fixture, readRollout } from '../../support/codex-files.ts';

const OLDEST = '0.148.0';
const NEWEST = '0.169.0';

function conversation(name: string): string[] {
  return finalItems(readRollout(fixture(name)).items)
    .filter(({ kind }) => kind !== 'preface')
    .map(summary);
}

function summary({ kind, role, text, data }: ThreadItem): string {
  const status = typeof data?.['status'] === 'string' ? ` (${data['status']})` : '';
  return [kind, role, text].filter((part) => part !== undefined).join(' ') + status;
}

test.each([
  `${OLDEST}/cmd`,
  '0.150.0/plan',
  `${NEWEST}/par`,
  `${NEWEST}/patch`,
  `${NEWEST}/review`,
  `${NEWEST}/fork`,
  `${NEWEST}/err500`,
  `${NEWEST}/sigkill`,
])('every line of %s is mapped or knowingly left out', (name) => {
  const { outcomes } = readRollout(fixture(`${name}/rollout.jsonl`));
  expect(outcomes.flatMap(({ problems }) => problems)).toEqual([]);
});

test('a turn with reasoning, a command and two answers becomes one item each, in order', () => {
  expect(conversation(`${OLDEST}/cmd/rollout.jsonl`)).toEqual([
    'turn (completed)',
    'message user SCN:cmd please',
    'reason assistant **Running** a command',
    'message assistant Let me run it.',
    'cmd echo hello-from-tool (completed)',
    'message assistant Command done.',
  ]);
});

test('the command holds what ran, where, how it ended and what it printed', () => {
  const { items } = readRollout(fixture(`${OLDEST}/cmd/rollout.jsonl`));
  expect(finalItems(items).find(({ kind }) => kind === 'cmd')?.data).toEqual({
    command: ['/bin/bash', '-lc', 'echo hello-from-tool'],
    cwd: '/srv/ex/ws/v0.148.0',
    status: 'completed',
    exitCode: 0,
    output: 'hello-from-tool\n',
    durationMs: expect.any(Number),
  });
});

test('a command is shown when it begins, and keeps its key and its place when it ends', () => {
  const { items } = readRollout(fixture(`${NEWEST}/par/rollout.jsonl`));
  const commands = items.filter(({ kind }) => kind === 'cmd');
  const begun = commands.filter(({ partial }) => partial);
  const ended = commands.filter(({ partial }) => !partial);
  expect(begun).toHaveLength(3);
  expect(new Set(ended.map(({ key, ts, text }) => `${key} ${ts} ${text}`))).toEqual(
    new Set(begun.map(({ key, ts, text }) => `${key} ${ts} ${text}`)),
  );
});

test('patches show their files, also the patch that could not be applied and has no item', () => {
  expect(conversation(`${NEWEST}/patch/rollout.jsonl`).slice(2)).toEqual([
    'file add /srv/ex/ws/v0.169.0/new.txt (completed)',
    'file update /srv/ex/ws/v0.169.0/new.txt\nadd /srv/ex/ws/v0.169.0/sub/other.md (completed)',
    'file update /srv/ex/ws/v0.169.0/new.txt -> /srv/ex/ws/v0.169.0/renamed.txt\n' +
      'delete /srv/ex/ws/v0.169.0/sub/other.md (completed)',
    'file update nope.txt (failed)',
    'message assistant Patched.',
  ]);
});

test('plans, which no item repeats, become todo lists with their progress', () => {
  const { items } = readRollout(fixture('0.150.0/plan/rollout.jsonl'));
  const plans = finalItems(items).filter(({ kind }) => kind === 'todo');
  expect(plans.map(({ data }) => data?.['items'])).toEqual([
    [
      { text: 'look', status: 'in_progress' },
      { text: 'edit', status: 'pending' },
      { text: 'test', status: 'pending' },
    ],
    [
      { text: 'look', status: 'completed' },
      { text: 'edit', status: 'in_progress' },
      { text: 'test', status: 'pending' },
    ],
    [
      { text: 'look', status: 'completed' },
      { text: 'edit', status: 'completed' },
      { text: 'test', status: 'completed' },
    ],
  ]);
  expect(plans.map(({ text }) => text).at(-1)).toBe('- [x] look\n- [x] edit\n- [x] test');
});

test('a failed turn says so, and its error is a row of its own', () => {
  const [turn, prompt, error] = conversation(`${NEWEST}/err500/rollout.jsonl`);
  expect(turn).toBe('turn (failed)');
  expect(prompt).toMatch(/^message user /);
  expect(error).toMatch(/^error We’re currently experiencing high demand/);
});

test('the thread is described by its meta, its turns and its first prompt', () => {
  const { reader } = readRollout(fixture(`${NEWEST}/par/rollout.jsonl`));
  expect(reader.thread).toEqual({
    source: 'external',
    resumeId: '01a207bb-a3c7-7341-acbe-644017cf6ae3',
    cwd: '/srv/ex/ws/v0.169.0',
    cliVersion: '0.169.0',
    model: 'gpt-5.5',
    createdAt: Date.parse('2026-11-23T09:27:47.409Z'),
    title: { text: 'SCN:par please', source: 'prompt' },
    historyMode: 'paginated',
    usage: {
      inputTokens: 20,
      cachedInputTokens: 4,
      outputTokens: 10,
      reasoningOutputTokens: 2,
      totalTokens: 30,
    },
  });
});

test('the tokens of a turn are its own, in files with and without usage records', () => {
  for (const name of [`${OLDEST}/cmd`, `${NEWEST}/par`]) {
    const { items } = readRollout(fixture(`${name}/rollout.jsonl`));
    const turn = finalItems(items).find(({ kind }) => kind === 'turn');
    expect(turn?.data).toMatchObject({
      status: 'completed',
      usage: { inputTokens: 20, totalTokens: 30 },
      durationMs: expect.any(Number),
    });
  }
});

test('a fork begins after its parent and repeats nothing of it', () => {
  const { reader, items } = readRollout(fixture(`${NEWEST}/fork/rollout.jsonl`));
  expect(reader.thread.parentThreadId).toBe('01a207bb-9cde-7c90-ab10-4feee2e65c47');
  expect(items.filter(({ kind }) => kind === 'message').map(({ text }) => text)).toEqual([
    'SCN:hello forked prompt',
    'Hello from the mock model.',
  ]);
});

test('a review leaves its child’s items to the child’s file', () => {
  expect(conversation(`${NEWEST}/review/rollout.jsonl`)).toEqual([
    'message system Review started: current changes',
    'turn (completed)',
    'message system Review ended',
    'message assistant Hello from the mock model.',
    'turn (completed)',
  ]);
  const child = readRollout(fixture(`${NEWEST}/review/rollout-1.jsonl`));
  expect(child.reader.thread.parentThreadId).toBe('01a207cd-27df-77f1-8e63-bd1fb0f367d1');
  expect(child.items.map(({ kind, role }) => `${kind} ${role}`)).toContain('reason assistant');
});

test('a killed Codex leaves its turn open, as the file does', () => {
  const { items } = readRollout(fixture(`${NEWEST}/sigkill/rollout.jsonl`));
  expect(finalItems(items).find(({ kind }) => kind === 'turn')?.partial).toBe(true);
});

test('keys are Codex’s own ids, within their turn where Codex has them so', () => {
  const { items } = readRollout(fixture(`${NEWEST}/par/rollout.jsonl`));
  const { key: turn } = items.find(({ kind }) => kind === 'turn') ?? {};
  expect(turn).toMatch(/^[0-9a-f-]{36}$/);
  for (const { key, kind, itemId } of items) {
    if (kind === 'turn') continue;
    expect(key).toBe(kind === 'preface' ? itemId : `${turn}/${itemId}`);
  }
});

test.each(['par', 'patch', 'review', 'err500', 'sigkill'])(
  'a reader that replays %s up to any line goes on as if it had read it',
  (scenario) => {
    const lines = fixture(`${NEWEST}/${scenario}/rollout.jsonl`);
    const whole = readRollout(lines);
    for (const [cut] of lines.entries()) {
      const { reader } = readRollout([]);
      for (const text of lines.slice(0, cut)) reader.replay(text, { offset: 0, length: 0 });
      const items = lines
        .slice(cut)
        .flatMap((text) => reader.push(text, { offset: 0, length: 0 }).items);
      expect(items).toEqual(whole.outcomes.slice(cut).flatMap((outcome) => outcome.items));
      expect(reader.thread).toEqual(whole.reader.thread);
    }
  },
);
