import { expect, test } from 'vitest';
import { MessageCount } from '../../../src/actors/verify/message-count.ts';
import { line } from '../../support/codex-files.ts';

function counted(lines: readonly string[]) {
  const count = new MessageCount();
  for (const one of lines) count.push(one);
  return count.counts;
}

const meta = line('session_meta', { id: 'b' });
const said = (type: string) => line('event_msg', { type, message: 'x' });
const completed = (type: string, thread_id = 'b') =>
  line('event_msg', { type: 'item_completed', thread_id, item: { type } });

test('what Codex displayed counts, and not the copy that the model was given', () => {
  const copy = {
    type: 'message',
    role: 'assistant',
    content: [{ type: 'output_text', text: 'x' }],
  };
  const lines = [meta, said('user_message'), line('response_item', copy), said('agent_message')];
  expect(counted(lines)).toEqual({ user: 1, assistant: 1 });
  expect(counted([meta, line('response_item', copy)])).toEqual({ user: 0, assistant: 1 });
});

test('items of another thread in the same file do not count', () => {
  const lines = [meta, completed('UserMessage'), completed('Plan'), completed('UserMessage', 'c')];
  expect(counted(lines)).toEqual({ user: 1, assistant: 1 });
});

test('a prompt that Codex was killed before it displayed counts with the next turn', () => {
  const given = line('response_item', {
    type: 'message',
    role: 'user',
    content: [{ type: 'input_text', text: 'x' }],
    internal_chat_message_metadata_passthrough: { content_item_kinds: ['user.text'] },
  });
  const started = line('event_msg', { type: 'task_started', turn_id: 'c' });
  expect(counted([meta, started, given, completed('UserMessage')]).user).toBe(1);
  expect(counted([meta, started, given]).user).toBe(0);
  const next = [started, given, completed('UserMessage'), started];
  expect(counted([meta, started, given, ...next]).user).toBe(2);
});

test('what a fork or a sub-agent has copied does not count', () => {
  const parent = line('session_meta', { id: 'a' });
  const own = line('event_msg', { type: 'task_started', turn_id: 'c' });
  const fork = [meta, parent, said('user_message'), own, said('user_message')];
  expect(counted(fork)).toEqual({ user: 1, assistant: 0 });
  const agent = line(
    'session_meta',
    { id: 'b', subagent_history_start_ordinal: 2 },
    { ordinal: 0 },
  );
  const numbered = (ordinal: number) =>
    line('event_msg', { type: 'user_message', message: 'x' }, { ordinal });
  expect(counted([agent, numbered(1), numbered(2)])).toEqual({ user: 1, assistant: 0 });
});

test('what was rolled back does not count, from the prompt of the turn on', () => {
  const rollback = line('event_msg', { type: 'thread_rolled_back', num_turns: 1 });
  const turn = [said('user_message'), said('agent_message')];
  expect(counted([meta, ...turn, ...turn, rollback])).toEqual({ user: 1, assistant: 1 });
});

test('a whole line behind a torn one on the same line counts', () => {
  const torn = said('agent_message').slice(0, -9);
  expect(counted([meta, torn + said('agent_message')])).toEqual({ user: 0, assistant: 1 });
});

test('the oldest files count what was typed, not what was injected', () => {
  const message = (role: string, text: string) =>
    JSON.stringify({ type: 'message', role, content: [{ type: 'input_text', text }] });
  const lines = [
    JSON.stringify({ id: 'b', timestamp: '2025-08-01T00:00:00Z', instructions: null }),
    message('user', '<environment_context>x'),
    message('user', 'hello'),
    message('assistant', 'hi'),
  ];
  expect(counted(lines)).toEqual({ user: 1, assistant: 1 });
});
