import { expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { backend, CODEX_ID, fileBatch, message, type Item } from './backend.ts';

const call = (fields: Partial<Item>): Item => ({ key: 'call_1', kind: 'cmd', ts: 2, ...fields });

async function written(...batches: Item[][]) {
  const convex = backend();
  for (const items of batches) await convex.mutation(api.messages.ingest, fileBatch(items));
  const thread = await convex.query(api.threads.byId, { id: CODEX_ID });
  const rows = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
  return { ofThread: thread?.redactions, ofRows: rows.map(({ redactions }) => redactions) };
}

it('a thread counts the secrets that were taken out of its rows', async () => {
  const items = [
    message('t/1', 'use [redacted: openai-key]', 1, { redactions: 1 }),
    message('t/2', 'plain', 2),
    call({ ts: 3, text: 'env', redactions: 2 }),
  ];
  expect(await written(items)).toEqual({ ofThread: 3, ofRows: [1, undefined, 2] });
});

it('a thread without any says nothing', async () => {
  expect(await written([message('t/1', 'plain')])).toEqual({
    ofThread: undefined,
    ofRows: [undefined],
  });
});

it('a batch that is sent again, or a file that is read again, counts nothing twice', async () => {
  const items = [message('t/1', 'use [redacted: openai-key]', 1, { redactions: 1 })];
  expect(await written(items, items, items)).toEqual({ ofThread: 1, ofRows: [1] });
});

it('a row that grows or becomes final counts what it holds then', async () => {
  const begun = call({ text: 'env', data: { status: 'in_progress' }, redactions: 1 });
  const done = call({ text: 'env', data: { status: 'completed', output: 'x' }, redactions: 3 });
  expect(await written([begun], [done], [begun, done])).toEqual({ ofThread: 3, ofRows: [3] });
});

it('the file speaks for the row of the stream that it claims', async () => {
  const streamed = call({
    key: 'run/1/1',
    provisional: true,
    data: { status: 'completed', output: 'a' },
    redactions: 1,
  });
  const filed = call({ claims: 'run/1/1', data: { status: 'completed', output: 'b' } });
  expect(await written([streamed], [filed])).toEqual({ ofThread: 0, ofRows: [undefined] });
});

it('where the longer output of the stream stays, what was taken out of it counts on', async () => {
  const streamed = call({
    key: 'run/1/1',
    provisional: true,
    data: { status: 'completed', output: 'the whole output' },
    redactions: 2,
  });
  const filed = call({
    claims: 'run/1/1',
    data: { status: 'completed', output: 'cut' },
    redactions: 1,
  });
  expect(await written([streamed], [filed])).toEqual({ ofThread: 2, ofRows: [2] });
});
