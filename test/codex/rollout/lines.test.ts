import { expect, test } from 'vitest';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { finalItems, line, readRollout } from '../../support/codex-files.ts';

const THREAD = '01a207bb-b317-74f1-bd7c-ea1d6a2eec9b';
const TURN = '01a207bb-b337-7773-9385-3b76372e8a14';
let ordinal = 0;

function next(type: string, payload: object, more: object = {}): string {
  ordinal += 1;
  return line(type, payload, { ordinal, ...more });
}

const meta = (more: object = {}) => next('session_meta', { id: THREAD, cwd: '/srv/app', ...more });
const started = (turn = TURN) => next('event_msg', { type: 'task_started', turn_id: turn });
const completed = (turn = TURN) => next('event_msg', { type: 'task_complete', turn_id: turn });
const item = (fields: object, more: object = {}) =>
  next('event_msg', {
    type: 'item_completed',
    thread_id: THREAD,
    turn_id: TURN,
    item: fields,
    ...more,
  });
const prompt = (text: string, id = 'u1') =>
  item({ type: 'UserMessage', id, content: [{ type: 'text', text }] });
const given = (role: string, text: string, more: object = {}) =>
  next('response_item', {
    type: 'message',
    role,
    content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }],
    ...more,
  });
const kinds = (...content_item_kinds: string[]) => ({
  internal_chat_message_metadata_passthrough: { turn_id: TURN, content_item_kinds },
});
const call = (callId: string, name: string, args: object) =>
  next('response_item', {
    type: 'function_call',
    call_id: callId,
    name,
    arguments: JSON.stringify(args),
  });
const output = (callId: string, text: string) =>
  next('response_item', { type: 'function_call_output', call_id: callId, output: text });

function rows(...lines: string[]): string[] {
  return finalItems(readRollout(lines).items)
    .filter(({ kind }) => kind !== 'turn')
    .map(({ kind, role, text }) => [kind, role, text].filter(Boolean).join(' '));
}

function problems(...lines: string[]): string[] {
  return readRollout(lines).outcomes.flatMap((outcome) =>
    outcome.problems.map(({ kind, reason }) => `${kind}: ${reason}`),
  );
}

test.each([
  ['{"timestamp":"2026-11-23T09:48:10.506Z","ordinal":25,"type":"event_m', /^malformed: not JSON/],
  ['[]', 'malformed: not a JSON object'],
  ['null', 'malformed: not a JSON object'],
  ['"text"', 'malformed: not a JSON object'],
  [line('session_meta', {}), /^malformed: session_meta: id: /],
  [line('response_item', { type: 'message' }), /^malformed: response_item\/message: role: /],
  [
    line('event_msg', { type: 'item_completed', item: { type: 'McpToolCall', id: 'c' } }),
    /^malformed: .*McpToolCall: server: /,
  ],
  [
    line('event_msg', { type: 'tea_poured' }),
    'unknown: unknown kind of line: event_msg/tea_poured',
  ],
  [
    line('event_msg', { type: 'item_completed', item: { type: 'Tea', id: 't' } }),
    'unknown: unknown kind of line: event_msg/item_completed/Tea',
  ],
  [line('constructor', {}), 'unknown: unknown kind of line: constructor'],
])('a line that cannot be understood is a problem with a reason: %s', (text, reason) => {
  expect(problems(text)).toEqual([expect.stringMatching(reason)]);
});

test('a reason never quotes what the line says', () => {
  const [reason] = problems('{"secret": "sk-1234567890" oops');
  expect(reason).not.toContain('sk-');
});

test('a broken line costs nothing but itself', () => {
  expect(rows(meta(), started(), '{"timesta', prompt('hello'), completed())).toEqual([
    'message user hello',
  ]);
});

test('unknown fields and values of new shapes in fields that are not needed are passed over', () => {
  const odd = item({
    type: 'CommandExecution',
    id: 'c1',
    command: ['ls'],
    duration: 'soon',
    exit_code: 'zero',
    status: 'sublime',
    colour: 'red',
  });
  const [row] = readRollout([meta(), started(), odd]).items.slice(-1);
  expect(row).toMatchObject({ kind: 'cmd', text: 'ls', data: { status: 'completed' } });
});

test('context that the harness injects is kept as preface, by what Codex says of its parts', () => {
  expect(
    rows(
      meta(),
      started(),
      given('developer', 'rules', { id: 'd1' }),
      given('user', 'You are in a house', {
        id: 'e1',
        ...kinds('environments.environment_context'),
      }),
      given('user', '<environment_context> is what I ask about', {
        id: 'm1',
        ...kinds('user.text'),
      }),
      prompt('<environment_context> is what I ask about'),
      completed(),
    ),
  ).toEqual([
    'preface system rules',
    'preface user You are in a house',
    'message user <environment_context> is what I ask about',
  ]);
});

test('where Codex does not say it, an injected text is known by how it opens', () => {
  expect(
    rows(
      meta(),
      started(),
      given('user', '<environment_context>\n<cwd>/</cwd>', { id: 'e1' }),
      given('user', 'hello', { id: 'm1' }),
      prompt('hello'),
      completed(),
    ),
  ).toEqual(['preface user <environment_context>\n<cwd>/</cwd>', 'message user hello']);
});

test('the same prompt twice is two messages', () => {
  expect(
    rows(
      meta(),
      started(),
      given('user', 'go', { id: 'm1', ...kinds('user.text') }),
      prompt('go', 'u1'),
      given('user', 'go', { id: 'm2', ...kinds('user.text') }),
      prompt('go', 'u2'),
      completed(),
    ),
  ).toEqual(['message user go', 'message user go']);
});

test('a prompt whose item was never written (Codex was killed in between) is not lost', () => {
  const killed = [meta(), started(), given('user', 'go', { id: 'm1', ...kinds('user.text') })];
  expect(rows(...killed)).toEqual([]);
  expect(rows(...killed, started('t2'))).toEqual(['message user go']);
});

test('an answer without an item is not lost, one before its item is not doubled', () => {
  const answer = given('assistant', 'yes', { id: 'msg_1' });
  const shown = item({
    type: 'AgentMessage',
    id: 'msg_1',
    content: [{ type: 'Text', text: 'yes' }],
  });
  for (const lines of [[answer], [answer, shown], [shown, answer]]) {
    expect(rows(meta(), started(), prompt('so?'), ...lines, completed())).toEqual([
      'message user so?',
      'message assistant yes',
    ]);
  }
});

test('migrated files, whose items have other ids than the model’s, are not doubled', () => {
  expect(
    rows(
      meta(),
      started(),
      given('user', 'hi'),
      prompt('hi', 'item-1'),
      item({ type: 'Reasoning', id: 'item-2', summary_text: ['one', 'two'] }),
      next('response_item', {
        type: 'reasoning',
        id: 'rs_1',
        summary: [
          { type: 'summary_text', text: 'one' },
          { type: 'summary_text', text: 'two' },
        ],
      }),
      item({ type: 'AgentMessage', id: 'item-3', content: [{ type: 'Text', text: 'yes' }] }),
      given('assistant', 'yes<oai-mem-citation>1</oai-mem-citation>', { id: 'msg_1' }),
      completed(),
    ),
  ).toEqual(['message user hi', 'reason assistant one\n\ntwo', 'message assistant yes']);
});

test('reasoning that only the provider can read gives no row', () => {
  const hidden = next('response_item', { type: 'reasoning', id: 'rs_1', summary: [] });
  const empty = item({ type: 'Reasoning', id: 'rs_2', summary_text: [], raw_content: [] });
  expect(rows(meta(), started(), hidden, empty)).toEqual([]);
});

test('what a sub-agent inherited is left to its parent', () => {
  ordinal = -1;
  const lines = [
    meta({
      subagent_history_start_ordinal: 4,
      source: { subagent: { thread_spawn: { parent_thread_id: 'parent' } } },
    }),
    next('session_meta', { id: 'parent', cwd: '/elsewhere' }),
    given('user', 'the parent’s prompt', { id: 'm1', ...kinds('user.text') }),
    next('event_msg', { type: 'turn_aborted', turn_id: 'parents-turn', reason: 'interrupted' }),
    started(),
    next('response_item', {
      type: 'agent_message',
      id: 'amsg_1',
      author: '/root',
      recipient: '/root/child',
      content: [
        { type: 'input_text', text: 'Message Type: NEW_TASK' },
        { type: 'encrypted_content', encrypted_content: 'x' },
      ],
    }),
    completed(),
  ];
  const { reader, items } = readRollout(lines);
  expect(reader.thread).toMatchObject({
    resumeId: THREAD,
    parentThreadId: 'parent',
    cwd: '/srv/app',
  });
  expect(items.map(({ kind }) => kind)).toEqual(['turn', 'message', 'turn']);
  expect(items[1]).toMatchObject({
    key: 'amsg_1',
    role: 'system',
    data: { author: '/root', recipient: '/root/child', encrypted: true },
  });
});

test('a command whose item comes behind its output ends as the item says, at the place of its call', () => {
  const at = (text: string) => text.replace('09:00:00.000Z', '09:00:01.000Z');
  const begun = call('c1', 'exec_command', { cmd: 'sleep 9' });
  const { items } = readRollout([
    meta(),
    started(),
    begun,
    output('c1', 'Wall time: 3.6 seconds\naborted by user'),
    at(
      item({
        type: 'CommandExecution',
        id: 'c1',
        command: ['sleep', '9'],
        aggregated_output: '',
        exit_code: 130,
        status: 'failed',
      }),
    ),
  ]);
  const [shown, ended, last] = items.filter(({ kind }) => kind === 'cmd');
  expect(ended).toMatchObject({ data: { status: 'completed' } });
  expect(ended).not.toHaveProperty('revision');
  expect(last).toMatchObject({ data: { status: 'failed', exitCode: 130 }, revision: 1 });
  const place = { key: shown?.key, ts: shown?.ts, ordinal: JSON.parse(begun).ordinal };
  expect([shown, ended, last]).toMatchObject([place, place, place]);
});

test('a turn that seemed to end with the next one, and goes on, ends as it says at last', () => {
  const begun = started();
  const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
  const { items } = readRollout([
    meta(),
    begun,
    next('token_usage_record', {
      turn_id: TURN,
      turn_token_usage: usage,
      thread_token_usage: usage,
    }),
    started('t2'),
    completed('t2'),
    completed(),
  ]);
  const told = items.filter(({ key }) => key === TURN);
  expect(told).toMatchObject([
    { partial: true },
    { data: { status: 'interrupted', reason: 'process_ended' } },
    { data: { status: 'completed', usage: { totalTokens: 3 } }, revision: 1 },
  ]);
  expect(new Set(told.map(({ ordinal }) => ordinal))).toEqual(new Set([JSON.parse(begun).ordinal]));
});

test('a command in the background ends with its item, even after its turn and the next', () => {
  const lines = [
    meta(),
    started(),
    call('c1', 'exec_command', { cmd: 'sleep 9' }),
    output(
      'c1',
      'Chunk ID: 1\nWall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\n',
    ),
    completed(),
    started('t2'),
    completed('t2'),
  ];
  const command = () => finalItems(readRollout(lines).items).find(({ kind }) => kind === 'cmd');
  expect(command()).toMatchObject({ partial: true, data: { status: 'in_progress' } });
  const end = { type: 'CommandExecution', id: 'c1', command: ['bash', '-lc', 'sleep 9'] };
  lines.push(item({ ...end, status: 'completed', exit_code: 0, aggregated_output: 'done' }));
  expect(command()).toMatchObject({
    text: 'sleep 9',
    data: { status: 'completed', output: 'done' },
  });
  expect(command()?.partial).toBeUndefined();
});

test('calls that no item repeats show their outcome', () => {
  const { items } = readRollout([
    meta(),
    started(),
    call('c1', 'exec_command', { cmd: 'rm -r x' }),
    output(
      'c1',
      'exec_command failed: CreateProcess { message: "Rejected(\\"rejected by user\\")" }',
    ),
    call('c2', 'no_such_tool', { x: 1 }),
    output('c2', 'unsupported call: no_such_tool'),
    call('c3', 'mcp__demo__echo', { text: 'hi' }),
    output('c3', '{"said":"hi"}'),
  ]);
  const outcome = ({ kind, text, data }: ThreadItem) => [kind, text, data?.['status']];
  expect(finalItems(items).slice(1).map(outcome)).toEqual([
    ['cmd', 'rm -r x', 'declined'],
    ['mcp', 'no_such_tool', 'failed'],
    ['mcp', 'demo.echo', 'completed'],
  ]);
});

test('a call that gives back twice has a row for the second', () => {
  const twice = [
    meta(),
    started(),
    call('c1', 'exec', { code: '1' }),
    output('c1', 'one'),
    next('response_item', {
      type: 'function_call_output',
      id: 'fco_2',
      call_id: 'c1',
      output: 'two',
    }),
  ];
  const tools = finalItems(readRollout(twice).items).filter(({ kind }) => kind === 'mcp');
  expect(tools.map(({ text, data }) => [text, data?.['result']])).toEqual([
    ['exec', 'one'],
    ['exec', 'two'],
  ]);
});

test('the next turn ends what a killed Codex left open', () => {
  const { items } = readRollout([
    meta(),
    started(),
    call('c1', 'exec_command', { cmd: 'make' }),
    started('t2'),
  ]);
  const rows = finalItems(items);
  expect(rows.map(({ kind, partial, data }) => [kind, partial, data?.['status']])).toEqual([
    ['turn', undefined, 'interrupted'],
    ['cmd', undefined, 'interrupted'],
    ['turn', true, 'in_progress'],
  ]);
});

test('an aborted turn says why', () => {
  const aborted = next('event_msg', { type: 'turn_aborted', turn_id: TURN, reason: 'interrupted' });
  const [turn] = finalItems(readRollout([meta(), started(), aborted]).items);
  expect(turn?.data).toEqual({ status: 'interrupted', reason: 'interrupted' });
});

test('a compaction keeps its summary as preface and shows that it happened', () => {
  expect(
    rows(
      meta(),
      started(),
      prompt('go'),
      given('assistant', 'SUMMARY', { id: 'msg_1' }),
      next('compacted', { message: 'so far: SUMMARY', replacement_history: [] }),
      item({ type: 'ContextCompaction', id: 'cc' }),
      completed(),
    ),
  ).toEqual([
    'message user go',
    'preface system so far: SUMMARY',
    'message system Context compacted',
  ]);
  const summary = given('assistant', 'SUMMARY', { id: 'msg_1' });
  const marked = JSON.stringify({ ...JSON.parse(summary), metadata: { compaction_output: {} } });
  expect(rows(meta(), started(), marked)).toEqual(['preface system SUMMARY']);
});

test('what the model thought while it compacted is no part of the conversation', () => {
  const thought = next(
    'response_item',
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'shorter' }] },
    { metadata: { compaction_output: true } },
  );
  expect(rows(meta(), started(), thought)).toEqual([]);
});

test('images become references, never base64', () => {
  const image = Buffer.from('a picture').toString('base64');
  const url = `data:image/png;base64,${image}`;
  const [row] = readRollout([
    meta(),
    item({
      type: 'UserMessage',
      id: 'u1',
      content: [
        { type: 'image', image_url: url },
        { type: 'local_image', path: '/srv/pic.png' },
        { type: 'text', text: 'look' },
      ],
    }),
  ]).items;
  expect(row).toMatchObject({
    text: 'look',
    data: {
      images: [
        { mime: 'image/png', bytes: 9, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
        { path: '/srv/pic.png' },
      ],
    },
  });
  expect(JSON.stringify(row)).not.toContain(image);
});

test('lone surrogates, which no store can hold, become replacement characters', () => {
  const text = prompt('X').replace('"X"', String.raw`"\ud83d!\ud83d\ude00"`);
  expect(readRollout([meta(), text]).items[0]?.text).toBe('\uFFFD!😀');
});

test('an item that is too large is cut and says where the whole is', () => {
  const long = 'ä'.repeat(300_000);
  const { items } = readRollout([meta(), prompt(long)], '/sessions/rollout-x.jsonl');
  const [row] = items;
  expect(Buffer.byteLength(row?.text ?? '')).toBeLessThanOrEqual(256 * 1024);
  expect(row?.text).toMatch(/^ä+$/);
  expect(row?.truncated).toMatchObject({ path: '/sessions/rollout-x.jsonl' });
  expect(row?.truncated?.bytes).toBeGreaterThanOrEqual(600_000);
  expect(row?.truncated?.offset).toBe(meta().length + 1);
});

test('the file’s name tells the thread before its first line does', () => {
  const path = `/x/rollout-2026-11-23T09-27-51-${THREAD}.jsonl`;
  expect(readRollout([], path).reader.thread.resumeId).toBe(THREAD);
});

test('lines without a time that can be read stand at the time of the line before', () => {
  const undated = JSON.stringify({ ...JSON.parse(prompt('x')), timestamp: 'once upon a time' });
  const { items } = readRollout([meta(), started(), undated]);
  expect(items.at(-1)?.ts).toBe(Date.parse('2026-11-23T09:00:00.000Z'));
});
