import { expect, test } from 'vitest';
import { createAppServerReader } from '../../../src/codex/app-server/create-app-server-reader.ts';

const threadId = 'thread-1';
const turnId = 'turn-1';

function reader(sharesIds = true) {
  return createAppServerReader({ runId: 'r1', threadId, sharesIds, now: () => 7 });
}

const message = (fields: object) => ({
  threadId,
  turnId,
  item: { type: 'agentMessage', id: 'msg_1', text: '', phase: null, startedAtMs: 5, ...fields },
});
const delta = (text: string, itemId = 'msg_1') => ({ threadId, turnId, itemId, delta: text });

test('a message has the key of the session file from its first word on', () => {
  const it = reader();
  expect(it.push('item/started', message({})).items).toEqual([]);
  const first = it.push('item/agentMessage/delta', delta('Hel')).pieces;
  const second = it.push('item/agentMessage/delta', delta('lo')).pieces;
  expect([first, second].flat()).toMatchObject([
    { seq: 1, item: { key: 'turn-1/msg_1', text: 'Hel', partial: true, provisional: true, ts: 5 } },
    { seq: 2, item: { key: 'turn-1/msg_1', text: 'Hello' } },
  ]);
  const { items } = it.push('item/completed', message({ text: 'Hello.' }));
  expect(items).toMatchObject([{ key: 'turn-1/msg_1', kind: 'message', text: 'Hello.' }]);
  expect(items[0]).not.toHaveProperty('partial');
});

test('in a session whose file has no ids, items have keys of the run, and do not grow', () => {
  const it = reader(false);
  it.push('item/started', message({}));
  expect(it.push('item/agentMessage/delta', delta('Hel')).pieces).toEqual([]);
  const { items } = it.push('item/completed', message({ text: 'Hello.' }));
  expect(items).toMatchObject([{ key: 'run/r1/msg_1', provisional: true }]);
  expect(items[0]).not.toHaveProperty('turnId');
});

test('the prompt of the run takes the row that was written for it, another prompt does not', () => {
  const prompt = (clientId: string | null) => ({
    threadId,
    turnId,
    item: { type: 'userMessage', id: 'u', clientId, content: [{ type: 'text', text: 'do it' }] },
  });
  const [own] = reader().push('item/completed', prompt('r1')).items;
  expect(own).toMatchObject({ key: 'turn-1/u', role: 'user', claims: 'run/r1/prompt' });
  const [other] = reader().push('item/completed', prompt(null)).items;
  expect(other).not.toHaveProperty('claims');
});

test('a turn that is interrupted takes what it had begun with it', () => {
  const it = reader();
  it.push('turn/started', { threadId, turn: { id: turnId, status: 'inProgress' } });
  it.push('item/started', message({}));
  it.push('item/agentMessage/delta', delta('Half'));
  const { items, turnEnded } = it.push('turn/completed', {
    threadId,
    turn: { id: turnId, status: 'interrupted', error: null },
  });
  expect(items).toMatchObject([
    { key: 'turn-1/msg_1', text: 'Half', data: { interrupted: true } },
    { key: 'turn-1', kind: 'turn', data: { status: 'interrupted' } },
  ]);
  expect(turnEnded).toEqual({ turnId, status: 'interrupted' });
  expect(it.abandon()).toEqual([]);
});

test('of a command the newest output is shown while it runs, in whole lines', () => {
  const it = reader();
  it.push('item/started', {
    threadId,
    turnId,
    item: { type: 'commandExecution', id: 'c', command: 'make', status: 'inProgress' },
  });
  const line = `${'x'.repeat(1023)}\n`;
  const outputs = Array.from({ length: 40 }, () => {
    const { pieces } = it.push('item/commandExecution/outputDelta', delta(line, 'c'));
    const output = pieces[0]?.item.data?.['output'];
    return typeof output === 'string' ? output : '';
  });
  expect(outputs[0]).toBe(line);
  expect(outputs.at(-1)?.length).toBeLessThanOrEqual(16 * 1024);
  expect(outputs.at(-1)?.startsWith('x')).toBe(true);
  expect(outputs.at(-1)?.length).toBe(15 * 1024);
});

test('what is told of another thread, or of nothing that a row would show, gives nothing', () => {
  const it = reader();
  const nothing = { items: [], pieces: [], problems: [] };
  expect(it.push('item/completed', { ...message({ text: 'x' }), threadId: 'else' })).toEqual(
    nothing,
  );
  expect(it.push('thread/novelty', { threadId })).toEqual(nothing);
});

test('a notification that is broken is a problem, and nothing else', () => {
  const { items, problems } = reader().push('item/completed', { threadId, turnId, item: 5 });
  expect(items).toEqual([]);
  expect(problems).toMatchObject([{ kind: 'malformed' }]);
});
