import { expect, test } from 'vitest';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { finalItems, fixture, line, readRollout } from '../../support/codex-files.ts';

const FILES = [
  '0.20.0/cmd/rollout',
  '0.29.0/cmd/rollout',
  '0.42.0/cmd/rollout',
  '0.87.0/fill/rollout',
  '0.120.0/app-fork/rollout-1',
  '0.130.0/mcp/rollout',
];

function summary({ kind, role, text, data }: ThreadItem): string {
  const status = typeof data?.['status'] === 'string' ? ` (${data['status']})` : '';
  return [kind, role, text].filter((part) => part !== undefined).join(' ') + status;
}

function conversation(lines: readonly string[]): string[] {
  return finalItems(readRollout(lines).items)
    .filter(({ kind }) => kind !== 'preface')
    .map(summary);
}

const event = (payload: object) => line('event_msg', payload);

test.each(FILES)('every line of %s is mapped or knowingly left out', (name) => {
  const { outcomes } = readRollout(fixture(`${name}.jsonl`));
  expect(outcomes.flatMap(({ problems }) => problems)).toEqual([]);
});

test.each(['0.20.0', '0.29.0', '0.42.0'])(
  '%s: the same run as today, each item once',
  (version) => {
    expect(conversation(fixture(`${version}/cmd/rollout.jsonl`))).toEqual([
      'message user SCN:cmd please',
      'reason assistant **Running** a command',
      'message assistant Let me run it.',
      'cmd echo hello-from-tool (completed)',
      'message assistant Command done.',
    ]);
  },
);

test('bare files tell their thread by the first line, and where it ran by its context', () => {
  expect(readRollout(fixture('0.29.0/cmd/rollout.jsonl')).reader.thread).toEqual({
    source: 'external',
    resumeId: '27738e50-0489-4d64-abb6-6bd3af222eeb',
    createdAt: Date.parse('2026-11-23T09:34:19.767Z'),
    cwd: '/srv/ex/ws/v0.29.0',
    title: { text: 'SCN:cmd please', source: 'prompt' },
    historyMode: 'legacy',
  });
});

test('the summary of a compaction is no message', () => {
  expect(conversation(fixture('0.87.0/fill/rollout.jsonl'))).toEqual([
    'message user SCN:fill please',
    'cmd echo fill1 (completed)',
    'message system Context compacted',
    'message assistant after fill',
  ]);
});

test('a fork leaves to its parent what it copied', () => {
  const { items, reader } = readRollout(fixture('0.120.0/app-fork/rollout-1.jsonl'));
  expect(reader.thread.parentThreadId).toBe('01a207cc-3af5-7712-baaf-cd08fa22bb70');
  const messages = finalItems(items).filter(({ kind }) => kind === 'message');
  expect(messages.map(({ text }) => text)).toEqual([
    'SCN:cmd in the fork',
    'Let me run it.',
    'Command done.',
  ]);
});

test('a copy without turn ids ends where lines are no longer written in one go', () => {
  const at = (seconds: number, type: string, payload: object) =>
    JSON.stringify({ timestamp: `2026-01-01T00:00:${seconds}.000Z`, type, payload });
  const prompt = (text: string) => ({ type: 'user_message', message: text });
  const lines = [
    at(10, 'session_meta', { id: 'child' }),
    at(10, 'session_meta', { id: 'parent' }),
    at(10, 'event_msg', prompt('the parent’s')),
    at(45, 'event_msg', prompt('its own')),
  ];
  expect(conversation(lines)).toEqual(['message user its own']);
});

test('a call of an MCP server is one row from its call to its end', () => {
  const { items } = readRollout(fixture('0.130.0/mcp/rollout.jsonl'));
  expect(
    finalItems(items)
      .filter(({ kind }) => kind === 'mcp')
      .map(summary),
  ).toEqual(['mcp demo.echo (completed)', 'mcp demo.boom (failed)']);
});

test.each(FILES)('a reader that replays %s up to any line goes on as if it had read it', (name) => {
  const lines = fixture(`${name}.jsonl`);
  const whole = readRollout(lines);
  for (const [cut] of lines.entries()) {
    const { reader } = readRollout([]);
    for (const text of lines.slice(0, cut)) reader.replay(text, { offset: 0, length: 0 });
    const items = lines
      .slice(cut)
      .flatMap((text) => reader.push(text, { offset: 0, length: 0 }).items);
    expect(items).toEqual(whole.outcomes.slice(cut).flatMap((outcome) => outcome.items));
  }
});

test('lines without ids are known by their content and how often it came', () => {
  const yes = event({ type: 'agent_message', message: 'yes' });
  const keys = readRollout([yes, yes, event({ type: 'agent_message', message: 'no' })]).items.map(
    ({ key }) => key,
  );
  expect(keys).toEqual([
    expect.stringMatching(/^agent_message\/[0-9a-f]{64}\/0$/),
    expect.stringMatching(/^agent_message\/[0-9a-f]{64}\/1$/),
    expect.stringMatching(/^agent_message\/[0-9a-f]{64}\/0$/),
  ]);
  expect(keys[1]).toBe(`${keys[0]?.slice(0, -1)}1`);
});

test.each([
  [
    { type: 'exec_command_end', call_id: 'c', command: ['ls'], exit_code: 1, status: 'failed' },
    'cmd ls (failed)',
  ],
  [
    {
      type: 'patch_apply_end',
      call_id: 'c',
      success: false,
      changes: { a: { type: 'add', content: '' } },
    },
    'file add a (failed)',
  ],
  [{ type: 'web_search_end', call_id: 'c', query: 'cats' }, 'search cats (completed)'],
  [{ type: 'view_image_tool_call', call_id: 'c', path: '/a.png' }, 'mcp view_image (completed)'],
  [
    { type: 'image_generation_end', call_id: 'c', status: 'completed', result: 'AAAA' },
    'mcp image_generation (completed)',
  ],
  [
    { type: 'dynamic_tool_call_response', call_id: 'c', tool: 't', success: false },
    'mcp t (failed)',
  ],
  [{ type: 'collab_agent_spawn_end', call_id: 'c', prompt: 'go' }, 'mcp spawn_agent (completed)'],
  [{ type: 'sub_agent_activity', kind: 'started' }, 'mcp sub_agent_started (completed)'],
  [{ type: 'context_compacted' }, 'message system Context compacted'],
  [{ type: 'entered_review_mode', user_facing_hint: 'all' }, 'message system Review started: all'],
  [{ type: 'exited_review_mode', review_output: {} }, 'message system Review ended'],
  [{ type: 'undo_completed', success: true }, 'message system Undone'],
  [{ type: 'thread_rolled_back', num_turns: 2 }, 'message system The last 2 turns were taken back'],
  [{ type: 'error', message: 'no' }, 'error no'],
  [{ type: 'error', error: { message: 'limit' } }, 'error limit'],
  [{ type: 'turn_aborted', reason: 'interrupted' }, 'turn (interrupted)'],
  [{ type: 'agent_reasoning_raw_content', text: 'hm' }, 'reason assistant hm'],
])('the event %j becomes %j', (payload, expected) => {
  expect(conversation([event(payload)])).toEqual([expected]);
});

test('reasoning is shown once, whichever of its copies comes first', () => {
  const given = line('response_item', {
    type: 'reasoning',
    summary: ['one', 'two'].map((text) => ({ type: 'summary_text', text })),
  });
  const shown = ['one', 'two'].map((text) => event({ type: 'agent_reasoning', text }));
  expect(conversation([...shown, given])).toEqual(['reason assistant one', 'reason assistant two']);
  expect(conversation([given, ...shown])).toEqual(['reason assistant one\n\ntwo']);
});

test('a file with nothing but what the model was given keeps its answers', () => {
  const given = (role: string, text: string) =>
    line('response_item', { type: 'message', role, content: [{ type: 'text', text }] });
  expect(conversation([given('user', 'hi'), given('assistant', 'hello')])).toEqual([
    'message assistant hello',
  ]);
});

test('a name given to the thread beats its first prompt', () => {
  const { reader } = readRollout([
    event({ type: 'thread_name_updated', thread_name: 'Login, fixed' }),
    event({ type: 'user_message', message: 'fix the login' }),
  ]);
  expect(reader.thread.title).toEqual({ text: 'Login, fixed', source: 'agent' });
});
