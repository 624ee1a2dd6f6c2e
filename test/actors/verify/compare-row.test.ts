import { describe, expect, test } from 'vitest';
import { compareRow, type Row } from '../../../src/actors/verify/compare-row.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';

const item: ThreadItem = {
  key: 'k',
  kind: 'cmd',
  text: 'ls -l',
  data: { command: ['ls', '-l'], status: 'completed', output: 'a\nb', exitCode: 0 },
  ts: 10,
  turnId: 't',
  itemId: 'i',
};

/** As `messages:ingest` makes it of the item. */
function rowOf(of: ThreadItem, changes: Partial<Row> = {}): Row {
  // No test looks at the ids.
  return { ...of, _id: 'r', _creationTime: 1, threadId: 'T', createdAt: 1, ...changes } as Row;
}

function compare(of: ThreadItem, row: Row, lineLength = 100) {
  return compareRow({ item: of, lineLength }, row);
}

test('a row that says what the file says is no difference, whatever the order of its fields', () => {
  expect(compare(item, rowOf(item))).toBeNull();
  const data = Object.fromEntries(Object.entries(item.data ?? {}).reverse());
  expect(compare(item, rowOf(item, { data }))).toBeNull();
});

test.each<[string, Partial<Row>]>([
  ['kind', { kind: 'mcp' }],
  ['role', { role: 'user' }],
  ['ts', { ts: 11 }],
  ['text', { text: 'ls -L' }],
  ['text', { text: 'ls -l ' }],
  ['turnId', { turnId: 'u' }],
  ['itemId', { itemId: 'j' }],
  ['partial', { partial: true }],
  ['provisional', { provisional: true }],
  ['data.exitCode', { data: { ...item.data, exitCode: 1 } }],
  ['data.output', { data: { ...item.data, output: 'a\nb\nc' } }],
  ['data.more', { data: { ...item.data, more: null } }],
  ['data.command', { data: { ...item.data, command: ['ls', '-l', '-a'] } }],
  ['truncated', { truncated: { bytes: 1, path: 'p', offset: 0 } }],
])('a different %s is named', (field, changes) => {
  expect(compare(item, rowOf(item, changes))).toMatchObject({ field });
});

test('what a run that is over has given up may be open in its file; what nobody runs may not', () => {
  const open: ThreadItem = { key: 't', kind: 'turn', data: { status: 'in_progress' }, ts: 10 };
  const data = { status: 'interrupted', reason: 'process_ended' };
  const givenUp = { partial: true, data };
  expect(compare({ ...open, partial: true }, rowOf(open, { runId: 'r1', ...givenUp }))).toBeNull();
  expect(compare({ ...open, partial: true }, rowOf(open, givenUp))).toMatchObject({
    field: 'data.status',
  });
  const ended: ThreadItem = { ...open, data: { status: 'completed' } };
  expect(compare(ended, rowOf(open, { runId: 'r1', ...givenUp }))).not.toBeNull();
});

test.each(['text', 'data', 'turnId'] as const)('a %s that is not there is named', (field) => {
  const { [field]: _, ...rest } = rowOf(item);
  expect(compare(item, rest as Row)?.field).toMatch(field === 'data' ? /^data/ : field);
});

test('an excerpt shows the place where the two part', () => {
  const text = `${'same '.repeat(100)}end`;
  const found = compare({ ...item, text }, rowOf(item, { text: text.replace('end', 'END') }));
  expect(found).toEqual({
    field: 'text',
    file: '…same same same same end',
    row: '…same same same same END',
  });
});

describe('a row of a run', () => {
  const runId = 'run';

  test('may have the whole output, of which Codex keeps a part in its file', () => {
    const data = { ...item.data, output: 'a\nb\nand all the rest' };
    expect(compare(item, rowOf(item, { runId, data }))).toBeNull();
    expect(compare(item, rowOf(item, { runId, data: { ...data, exitCode: 1 } }))).toMatchObject({
      field: 'data.exitCode',
    });
    const shorter = { ...item.data, output: 'a' };
    expect(compare(item, rowOf(item, { runId, data: shorter }))).toMatchObject({
      field: 'data.output',
    });
  });

  test('may say how it ended where its file only says that it began', () => {
    const begun = { ...item, data: { ...item.data, status: 'in_progress' } };
    const ended = rowOf(item, { runId, data: { ...item.data, status: 'interrupted' } });
    expect(compare(begun, ended)).toBeNull();
    const { runId: _, ...ofNoRun } = ended;
    expect(compare(begun, ofNoRun as Row)).toMatchObject({ field: 'data.status' });
  });
});

describe('a row that was cut', () => {
  const truncated = { bytes: 600_000, path: 'p', offset: 0 };
  const text = 'x'.repeat(600_000);
  const long = { ...item, text, data: { ...item.data, list: [1, 2, 3] } };

  test('has the beginning, and all small fields', () => {
    const cut = rowOf(long, { truncated, text: text.slice(0, 1000), data: long.data });
    expect(compare(long, cut)).toBeNull();
    const list = { ...long.data, list: [1, 2] };
    expect(compare(long, { ...cut, data: list })).toBeNull();
  });

  test('has nothing that the file does not say', () => {
    const cut = rowOf(long, { truncated, text: `${text.slice(0, 1000)}y` });
    expect(compare(long, cut)).toMatchObject({ field: 'text' });
    const data = { ...long.data, list: [1, 3] };
    expect(compare(long, rowOf(long, { truncated, data }))).toMatchObject({ field: 'data.list' });
  });

  test('is a difference where there was no need to cut', () => {
    const cut = rowOf(item, { truncated, text: 'ls' });
    expect(compare(item, cut, 1000)).toMatchObject({ field: 'truncated' });
    expect(compare(item, cut, 600_000)).toBeNull();
  });
});

test('JSON that is too deep for a document stands in it as text', () => {
  const deep = { ...item, data: { tool: 't', result: { a: { b: [1] } } } };
  const flat = rowOf(deep, { data: { tool: 't', result: { a: { json: '{"b":[1]}' } } } });
  expect(compare(deep, flat)).toBeNull();
  const wrong = rowOf(deep, { data: { tool: 't', result: { a: { json: '{"b":[2]}' } } } });
  expect(compare(deep, wrong)).toMatchObject({ field: 'data.result' });
});
