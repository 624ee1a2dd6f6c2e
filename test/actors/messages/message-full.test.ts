import { appendFileSync, closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActor, fromCallback, setup } from 'xstate';
import { createMessageReader } from '../../../src/actors/messages/message-reader.ts';
import { readInThread } from '../../../src/actors/messages/whole-item-thread.ts';
import type { StoredMessage } from '../../../src/actors/messages/find-whole.ts';
import { messageFrame } from '../../../src/control/frames.ts';
import type { ControlErrorCode } from '../../../src/control/frames.ts';
import {
  SYSTEM,
  type ControlRequestEvent,
  type GatewayCommand,
} from '../../../src/machines/protocol.ts';
import { startSessions, type Mirror } from '../../support/sessions-harness.ts';
import { createSession, type SessionWriter } from '../../support/session-writer.ts';
import { redaction } from '../../support/redaction.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MIB = 1024 * 1024;

let folder: ReturnType<typeof temporaryFolder>;
let session: SessionWriter;

beforeEach(() => {
  folder = temporaryFolder();
  session = createSession(folder.path);
});
afterEach(() => folder[Symbol.dispose]());

/** What the mirror holds once all is read. */
async function mirrored(rows: number): Promise<Mirror> {
  await using watch = startSessions({ root: join(folder.path, 'sessions') });
  await watch.until(() => watch.mirror.rows >= rows);
  await watch.settled();
  return watch.mirror;
}

/** Asks the reader about rows as the mirror has them; their ids are their keys. */
function asking(mirror: Mirror) {
  const stored = (key: string): StoredMessage | null => {
    for (const [threadId, rows] of mirror.threads) {
      const item = rows.get(key);
      if (item) return { threadId, item };
    }
    return null;
  };
  const waiting = new Map<string, (command: GatewayCommand) => void>();
  const gateway = fromCallback<GatewayCommand>(({ receive }) => {
    receive((command) => {
      if ('requestId' in command) waiting.get(command.requestId)?.(command);
    });
  });
  const messages = createMessageReader({
    lookup: {
      message: async (key) => stored(key),
      thread: async () => ({ rolloutPath: session.path }),
    },
    readItem: readInThread,
    redact: (item) => redaction.item(item, undefined),
  });
  const tree = createActor(
    setup({ actors: { gateway, messages } }).createMachine({
      invoke: [
        { src: 'gateway', systemId: SYSTEM.gateway },
        { src: 'messages', systemId: SYSTEM.messages },
      ],
    }),
  );
  tree.start();
  let requests = 0;
  const ask = (messageId: string, part?: number) =>
    new Promise<GatewayCommand>((resolve) => {
      requests += 1;
      const requestId = `request-${requests}`;
      waiting.set(requestId, resolve);
      const event: ControlRequestEvent = {
        type: 'control.request',
        requestId,
        clientId: 'client-1',
        request: { control: 'message.full', messageId, ...(part === undefined ? {} : { part }) },
      };
      tree.system.get(SYSTEM.messages).send(event);
    });
  const frame = async (messageId: string, part?: number) => {
    const command = await ask(messageId, part);
    if (command.type !== 'control.reply') throw new Error(JSON.stringify(command));
    return messageFrame.parse(command.frame);
  };
  return {
    frame,
    async refusal(
      messageId: string,
      part?: number,
    ): Promise<{ code: ControlErrorCode; message: string }> {
      const command = await ask(messageId, part);
      if (command.type !== 'control.failed') throw new Error('it was answered');
      return command.error;
    },
    async whole(messageId: string): Promise<Record<string, unknown>> {
      const first = await frame(messageId);
      let json = first.json ?? JSON.stringify(first.item);
      for (let part = 1; part < first.parts; part += 1)
        json += (await frame(messageId, part)).json ?? '';
      expect(json).toHaveLength(first.length);
      return JSON.parse(json) as Record<string, unknown>;
    },
    [Symbol.dispose]: () => void tree.stop(),
  };
}

const keyOf = (mirror: Mirror, kind: string): string =>
  [...(mirror.threads.get(session.threadId)?.values() ?? [])].find((item) => item.kind === kind)
    ?.key ?? '';

test.each([
  ['cut at 256 KiB', 400 * 1024],
  ['of a line that is never held', 3 * MIB],
])('a message %s comes whole, in parts that fit into frames', async (_, length) => {
  const text = 'Ein "ganzer" Text 😀\n'.repeat(length / 20);
  session.user(text);
  session.assistant('after');
  const mirror = await mirrored(3);
  using messages = asking(mirror);
  const key = keyOf(mirror, 'message');
  expect(mirror.threads.get(session.threadId)?.get(key)?.truncated).toBeDefined();
  const whole = await messages.whole(key);
  expect(whole['text']).toBe(text);
  expect(whole).not.toHaveProperty('truncated');
  const { parts } = await messages.frame(key);
  expect(parts).toBeGreaterThan(1);
  expect(JSON.stringify(await messages.frame(key, 0)).length).toBeLessThan(MIB);
  expect(await messages.refusal(key, parts)).toMatchObject({ code: 'invalid_request' });
});

test('a command comes with all of its output', async () => {
  const output = 'line of output\n'.repeat(100_000);
  session.command('make', output);
  session.endTurn();
  const mirror = await mirrored(2);
  using messages = asking(mirror);
  const whole = await messages.whole(keyOf(mirror, 'cmd'));
  expect(whole).toMatchObject({ kind: 'cmd', data: { output, exitCode: 0, status: 'completed' } });
});

test('a message that is whole already is answered as it is', async () => {
  session.user('short');
  const mirror = await mirrored(2);
  rmSync(session.path);
  using messages = asking(mirror);
  const key = keyOf(mirror, 'message');
  expect(await messages.frame(key)).toMatchObject({
    messageId: key,
    threadId: session.threadId,
    parts: 1,
    item: { kind: 'message', role: 'user', text: 'short' },
  });
});

const picture = Buffer.alloc(100_000, 'picture');
const base64 = picture.toString('base64');
const url = `data:image/png;base64,${base64}`;
const reference = {
  bytes: picture.length,
  sha256: createHash('sha256').update(picture).digest('hex'),
};
const content = [{ type: 'image', data: base64, mimeType: 'image/png' }];
const call = { type: 'function_call', call_id: 'c', name: 'shot', arguments: '{}' };
const output = (value: unknown) => [
  call,
  { type: 'function_call_output', call_id: 'c', output: value },
];
const bare = (payload: object) => payload;
const wrapped = (type: string) => (payload: object) => ({
  timestamp: '2026-01-02T00:00:00Z',
  type,
  payload,
});
const completed = (item: object) => ({
  type: 'item_completed',
  thread_id: '0198c0de-0000-7000-8000-000000000001',
  turn_id: 't',
  item: { id: 'i', ...item },
});

/** Also what is JSON within JSON. */
const plain = (value: unknown) => JSON.stringify(value).replaceAll('\\', '');

test.each<[string, (payload: object) => object, object[]]>([
  [
    'a message of the bare generation',
    bare,
    [{ type: 'message', role: 'user', content: [{ type: 'input_image', image_url: url }] }],
  ],
  ['a tool of the bare generation', bare, output(JSON.stringify({ content }))],
  ['an event', wrapped('event_msg'), [{ type: 'user_message', message: 'see', images: [url] }]],
  [
    'what a tool gave back',
    wrapped('response_item'),
    output([{ type: 'input_image', image_url: url }]),
  ],
  ['what a tool gave back as text', wrapped('response_item'), output(JSON.stringify(content))],
  [
    'an MCP call',
    wrapped('event_msg'),
    [
      {
        type: 'mcp_tool_call_end',
        call_id: 'c',
        invocation: { server: 's', tool: 't', arguments: {} },
        result: { Ok: { content } },
      },
    ],
  ],
  [
    'a generated image',
    wrapped('event_msg'),
    [{ type: 'image_generation_end', call_id: 'c', result: base64 }],
  ],
  [
    'a prompt of today',
    wrapped('event_msg'),
    [completed({ type: 'UserMessage', content: [{ type: 'image', image_url: url }] })],
  ],
  [
    'an MCP call of today',
    wrapped('event_msg'),
    [
      completed({
        type: 'McpToolCall',
        server: 's',
        tool: 't',
        arguments: {},
        result: { content },
        status: 'completed',
      }),
    ],
  ],
  [
    'a generated image of today',
    wrapped('event_msg'),
    [completed({ type: 'ImageGeneration', status: 'completed', result: base64 })],
  ],
])(
  'an image in %s is a reference in the row, and comes with its data',
  async (_, wrap, payloads) => {
    const meta = { id: '0198c0de-0000-7000-8000-000000000001', timestamp: '2026-01-02T00:00:00Z' };
    const lines = [wrap === bare ? meta : wrapped('session_meta')(meta), ...payloads.map(wrap)];
    writeFileSync(session.path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const mirror = await mirrored(1);
    const [rows] = mirror.threads.values();
    const row = [...(rows?.values() ?? [])].at(-1);
    // Not the texts themselves: a failure would print them.
    expect(JSON.stringify(row).includes(base64.slice(0, 500))).toBe(false);
    expect(plain(row)).toContain(JSON.stringify(reference).slice(1, -1));
    using messages = asking(mirror);
    const whole = plain(await messages.whole(row?.key ?? ''));
    const filled = JSON.stringify({ ...reference, data: base64 }).slice(1, -1);
    expect(whole.includes(filled)).toBe(true);
  },
);

test('a file that is gone, or does not hold the message any more, is said', async () => {
  session.user('long '.repeat(100_000));
  const mirror = await mirrored(2);
  using messages = asking(mirror);
  const key = keyOf(mirror, 'message');
  writeFileSync(
    session.path,
    '{"timestamp":"2026-01-02T00:00:00Z","type":"world_state","payload":{}}\n',
  );
  expect(await messages.refusal(key)).toMatchObject({ code: 'conflict' });
  rmSync(session.path);
  expect(await messages.refusal(key)).toMatchObject({ code: 'not_found' });
  expect(await messages.refusal('unknown')).toMatchObject({ code: 'not_found' });
});

test(
  'a line that is too long for any memory is refused, with its place',
  { timeout: 60_000 },
  async () => {
    const file = openSync(session.path, 'a');
    writeSync(
      file,
      '{"timestamp":"2026-01-02T00:00:00Z","type":"event_msg","payload":{"type":"agent_message","message":"',
    );
    for (let n = 0; n < 65; n += 1) writeSync(file, Buffer.alloc(MIB, 'word '));
    writeSync(file, '"}}\n');
    closeSync(file);
    appendFileSync(
      session.path,
      session.draft(() => session.assistant('after')),
    );
    const mirror = await mirrored(3);
    using messages = asking(mirror);
    const { code, message } = await messages.refusal(keyOf(mirror, 'message'));
    expect(code).toBe('too_large');
    expect(message).toContain(session.path);
  },
);
