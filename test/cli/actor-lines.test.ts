import { expect, test } from 'vitest';
import { actorLines } from '../../src/cli/actor-lines.ts';
import type { BridgeStatusFrame } from '../../src/control/frames.ts';

type ActorItem = BridgeStatusFrame['actors'][number];

const actor = (sessionId: string, facts: Partial<ActorItem>): ActorItem => ({
  id: sessionId,
  sessionId,
  parentId: 'root',
  machine: 'actor',
  state: 'active',
  status: 'active',
  since: Date.now(),
  restarts: 0,
  lastError: null,
  ...facts,
});

const tail = (thread: number, facts: Partial<ActorItem> = {}) =>
  actor(`tail-${thread}`, {
    id: `tail:/2026/01/02/rollout-2026-01-02T03-04-05-0199d4c5-0000-7000-8000-00000000000${thread}.jsonl`,
    parentId: 'sessions',
    machine: 'tail',
    state: 'waiting',
    ...facts,
  });

const actors = [
  actor('root', { parentId: null, machine: 'supervisor' }),
  actor('sessions', { machine: 'sessionsWatch' }),
  tail(1),
  actor('reader', { parentId: 'tail-1' }),
  tail(2),
  tail(3, { state: 'backingOff', lastError: 'The session file cannot be read: EACCES' }),
  tail(4, { state: 'reading.committing' }),
];

test('session files that are in the same state are one line; what has trouble tells it below its own', () => {
  const lines = actorLines(actors);
  expect(
    lines.map((line) => line.replace(/ +\d+s +\d+$/, '').replaceAll(/ {2,}(?=\S)/g, '  ')),
  ).toEqual([
    'ACTOR  MACHINE  STATE  SINCE  RESTARTS',
    'root  supervisor  active',
    '  sessions  sessionsWatch  active',
    '  2 × tail  tail  waiting',
    '  tail:…0000000003.jsonl  tail  backingOff',
    '  The session file cannot be read: EACCES',
    '  tail:…0000000004.jsonl  tail  reading.committing',
  ]);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('with --all each has its line and its whole name, and what it has started', () => {
  const lines = actorLines(actors, true);
  expect(lines).toHaveLength(actors.length + 2);
  expect(lines.join('\n')).toContain('0199d4c5-0000-7000-8000-000000000002.jsonl ');
  expect(lines.join('\n')).toMatch(/^ {6}reader /m);
});
