import { expect, test } from 'vitest';
import { createExecReader, type ExecOutcome } from '../../../src/codex/exec/create-exec-reader.ts';
import { fixture, readExec } from '../../support/codex-files.ts';

function read(...events: (object | string)[]): ExecOutcome[] {
  return readExec(
    events.map((event) => (typeof event === 'string' ? event : JSON.stringify(event))),
    'r',
    () => 7,
  );
}

const completed = (item: object) => ({ type: 'item.completed', item });
const items = (outcomes: ExecOutcome[]) => outcomes.flatMap((outcome) => outcome.items);

test('a recorded run gives its session, its items and the end of its turn', () => {
  const outcomes = readExec(fixture('0.148.0/cmd/stdout.jsonl'));
  expect(outcomes.flatMap(({ problems }) => problems)).toEqual([]);
  expect(outcomes[0]?.resumeId).toBe('01a207ce-ecd2-7963-969e-ceb3b8cf8ba8');
  expect(items(outcomes).map(({ key, kind, text, partial }) => [key, kind, text, partial])).toEqual(
    [
      ['run/r/turn', 'turn', undefined, true],
      ['run/r/0', 'reason', '**Running** a command', undefined],
      ['run/r/1', 'message', 'Let me run it.', undefined],
      ['run/r/2', 'cmd', 'echo hello-from-tool', true],
      ['run/r/2', 'cmd', 'echo hello-from-tool', undefined],
      ['run/r/3', 'message', 'Command done.', undefined],
      ['run/r/turn', 'turn', undefined, undefined],
    ],
  );
  expect(outcomes.at(-1)?.turn).toEqual({
    status: 'completed',
    usage: {
      inputTokens: 20,
      cachedInputTokens: 4,
      outputTokens: 10,
      reasoningOutputTokens: 2,
      totalTokens: 30,
    },
  });
});

test('every item is provisional and of its run', () => {
  for (const item of items(readExec(fixture('0.169.0/patch/stdout.jsonl')))) {
    expect(item).toMatchObject({ provisional: true, runId: 'r' });
  }
});

test('an item keeps the time at which it was first seen', () => {
  let now = 0;
  const reader = createExecReader({ runId: 'r', now: () => (now += 10) });
  const call = { id: 'item_0', type: 'command_execution', command: 'ls', aggregated_output: '' };
  const times = ['item.started', 'item.completed'].map(
    (type) => reader.push(JSON.stringify({ type, item: call })).items[0]?.ts,
  );
  expect(times).toEqual([10, 10]);
});

test('a web search has two ids: the first keys it, the second is the provider’s', () => {
  const [outcome] = read(
    '{"type":"item.completed","item":{"id":"item_4","type":"web_search","id":"ws_9","query":"cats","action":{"type":"search","query":"cats"}}}',
  );
  expect(outcome?.items[0]).toMatchObject({
    key: 'run/r/4',
    itemId: 'ws_9',
    kind: 'search',
    text: 'cats',
  });
});

test('a todo list is one row that goes on', () => {
  const list = (type: string, done: boolean) => ({
    type,
    item: { id: 'item_0', type: 'todo_list', items: [{ text: 'look', completed: done }] },
  });
  const rows = items(
    read(list('item.started', false), list('item.updated', true), list('item.completed', true)),
  );
  expect(rows.map(({ key, text, partial }) => [key, text, partial])).toEqual([
    ['run/r/0', '- [ ] look', true],
    ['run/r/0', '- [x] look', true],
    ['run/r/0', '- [x] look', undefined],
  ]);
});

test('complaints are errors of their own; the one that ends the turn becomes fatal', () => {
  const outcomes = readExec(fixture('0.169.0/err500/stdout.jsonl'));
  const errors = items(outcomes).filter(({ kind }) => kind === 'error');
  expect(errors.map(({ key, text, data }) => [key, text?.slice(0, 12), data?.['fatal']])).toEqual([
    ['run/r/error/0', 'Reconnecting', false],
    ['run/r/error/1', 'We’re curren', false],
    ['run/r/error/1', 'We’re curren', true],
  ]);
  expect(outcomes.at(-1)?.turn).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/^We’re currently/),
  });
  expect(outcomes.map(({ error }) => error).filter(Boolean)).toHaveLength(2);
});

test('a turn that fails without a complaint before it still shows why', () => {
  const outcome = read({ type: 'turn.failed', error: { message: 'no' } });
  expect(items(outcome).map(({ kind, text }) => [kind, text])).toEqual([
    ['turn', undefined],
    ['error', 'no'],
  ]);
});

test('calls of MCP servers and of other agents hold what was asked and answered', () => {
  const rows = items(
    read(
      completed({
        id: 'item_0',
        type: 'mcp_tool_call',
        server: 'demo',
        tool: 'boom',
        arguments: { $ref: 'x' },
        result: { content: [{ type: 'text', text: 'no' }], structured_content: null },
        error: { message: 'boom failed' },
        status: 'failed',
      }),
      completed({
        id: 'item_1',
        type: 'collab_tool_call',
        tool: 'wait',
        receiver_thread_ids: ['t'],
        prompt: null,
        agents_states: {},
        status: 'completed',
      }),
    ),
  );
  expect(rows.map(({ text, data }) => [text, data])).toEqual([
    [
      'demo.boom',
      {
        server: 'demo',
        tool: 'boom',
        arguments: { json: '{"$ref":"x"}' },
        result: { content: [{ type: 'text', text: 'no' }] },
        error: 'boom failed',
        status: 'failed',
      },
    ],
    [
      'wait',
      { tool: 'wait', arguments: { receiverThreadIds: ['t'] }, result: {}, status: 'completed' },
    ],
  ]);
});

test.each([
  ['{"type":"item.comp', 'malformed', 'not JSON'],
  ['7', 'malformed', /expected object/],
  [JSON.stringify({ type: 'tea.poured' }), 'unknown', 'unknown event tea.poured'],
  [JSON.stringify(completed({ id: 'item_0', type: 'tea' })), 'unknown', 'unknown item tea'],
  [JSON.stringify(completed({ id: 'item_0', type: 'toString' })), 'unknown', /toString/],
  [JSON.stringify(completed({ id: 'item_0', type: 'reasoning' })), 'malformed', /^text: /],
  [JSON.stringify({ type: 'thread.started' }), 'malformed', /^thread_id: /],
])('a line that cannot be understood is a problem with a reason: %s', (line, kind, reason) => {
  const [outcome] = read(line);
  expect(outcome).toEqual({
    items: [],
    problems: [{ kind, reason: expect.stringMatching(reason) }],
  });
});
