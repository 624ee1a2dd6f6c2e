import { array, assert, asyncProperty, boolean, constantFrom, integer, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { api } from '../../../convex/_generated/api.js';
import { withoutBegun } from '../../../src/actors/convex/without-begun.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { defined } from '../../../src/codex/defined.ts';
import { backend, fileBatch } from '../../convex/backend.ts';

/** More, for whoever changes how rows are reconciled. */
const RUNS = Number(process.env['WITHOUT_BEGUN_RUNS'] ?? 300);

const call: ThreadItem = {
  key: 't/1',
  kind: 'cmd',
  text: 'make',
  data: { command: 'make', status: 'in_progress' },
  ts: 5,
  line: 3,
  turnId: 't',
  itemId: '1',
  partial: true,
};
const { partial: _, ...ended }: ThreadItem = {
  ...call,
  data: { command: 'make', status: 'completed', output: 'ok' },
};

describe('of a call and its outcome', () => {
  test('only the outcome is sent, in the place of the call', () => {
    const between: ThreadItem = { key: 'm', kind: 'message', role: 'user', text: 'hi', ts: 6 };
    const { items, begun } = withoutBegun([call, between, ended]);
    expect(items).toEqual([ended, between]);
    expect([...begun]).toEqual([[ended, call]]);
  });

  test.each<[string, ThreadItem[]]>([
    ['the outcome is in another job', [call]],
    ['the call goes on', [call, { ...ended, partial: true }]],
    ['the outcome says another text', [call, { ...ended, text: 'make all' }]],
    ['the outcome has no data', [call, { ...ended, data: undefined } as unknown as ThreadItem]],
    ['the outcome is cut', [call, { ...ended, truncated: { bytes: 1, path: 'p', offset: 0 } }]],
    ['the call is of a stream', [{ ...call, provisional: true }, ended]],
    ['one in between claims the row', [call, { ...ended, key: 'other', claims: call.key }, ended]],
    ['it is a message', [call, ended].map((item) => ({ ...item, kind: 'message' as const }))],
  ])('both are sent when %s', (_when, items) => {
    expect(withoutBegun(items)).toEqual({ items, begun: new Map() });
  });
});

/** Few of everything, so that items meet in all ways. */
const anyItem = record({
  /** Its key is of the other form than most. */
  isOther: constantFrom(false, false, false, false, false, false, false, true),
  id: integer({ min: 1, max: 3 }),
  kind: constantFrom('cmd' as const, 'cmd' as const, 'cmd' as const, 'message' as const),
  text: constantFrom('ls', 'ls', 'ls', 'ls -a', 'cat', undefined),
  ts: constantFrom(5, 5, 5, 6),
  place: constantFrom({ ordinal: 3 }, { ordinal: 3 }, { line: 3 }, {}),
  state: constantFrom('begun', 'begun', 'begun', 'in_progress', 'partial', 'ended', 'ended'),
  output: constantFrom(undefined, undefined, undefined, 'o', 'out', 'output'),
  hasData: constantFrom(true, true, true, false),
  redactions: constantFrom(0, 0, 0, 1, 2),
  revision: constantFrom(0, 0, 0, 1, 2),
  provisional: constantFrom(false, false, false, true),
  isTruncated: constantFrom(false, false, false, false, true),
  claims: constantFrom(undefined, undefined, undefined, undefined, undefined, 1, 2, 3),
  runId: constantFrom(undefined, undefined, undefined, undefined, 'r'),
  /** The same again, as it ended: what history is full of. Its length says how far behind. */
  endsWith: constantFrom(undefined, '', 'o', 'out'),
  /** What the end says otherwise. */
  change: constantFrom<Partial<Record<keyof ThreadItem, unknown>>[]>(
    ...Array.from({ length: 30 }, () => ({})),
    { kind: 'turn' },
    { role: 'system' },
    { text: undefined },
    { text: 'l' },
    { text: 'ls -a b' },
    { ts: 6 },
    { ordinal: 9 },
    { line: 9 },
    { turnId: 'u' },
    { itemId: '9' },
    { runId: 'r' },
    { redactions: undefined },
    { redactions: 2 },
    { revision: 1 },
    { provisional: undefined },
    { provisional: true },
    { claims: undefined },
    { claims: 't/2' },
    { truncated: undefined },
    { truncated: { bytes: 1, path: 'p', offset: 0 } },
    { data: undefined },
    { partial: true, data: { status: 'in_progress', output: 'o' } },
  ),
});
type AnyItem = typeof anyItem extends { generate(...args: never[]): { value: infer Value } }
  ? Value
  : never;

function itemOf(any: AnyItem, isNumbered: boolean): ThreadItem {
  const { isOther, id, kind, text, ts, place, state, output, redactions, revision } = any;
  const keyOf = (n: number) => (isNumbered === isOther ? `${n}` : `t/${n}`);
  const status = state === 'begun' || state === 'in_progress' ? 'in_progress' : 'completed';
  return {
    key: keyOf(id),
    kind,
    ...(kind === 'message' && { role: 'assistant' as const }),
    ...(text !== undefined && { text }),
    ...(any.hasData && { data: { status, ...(output !== undefined && { output }) } }),
    ts,
    ...place,
    turnId: 't',
    itemId: `${id}`,
    ...((state === 'begun' || state === 'partial') && { partial: true }),
    ...(redactions > 0 && { redactions }),
    ...(revision > 0 && { revision }),
    ...(any.provisional && { provisional: true }),
    ...(any.isTruncated && { truncated: { bytes: id, path: 'p', offset: 0 } }),
    ...(any.claims !== undefined && { claims: keyOf(any.claims) }),
    ...(any.runId !== undefined && { runId: any.runId }),
  };
}

/** In between come those that follow. */
function itemsOf(some: AnyItem[], isNumbered: boolean): ThreadItem[] {
  const items = some.map((any) => itemOf(any, isNumbered));
  const late = some.flatMap(({ endsWith, change }, n) => {
    const begun = items[n];
    if (endsWith === undefined || begun === undefined) return [];
    const { partial: __, data: ___, ...same } = begun;
    const item = defined({ ...same, data: { output: endsWith }, ...change }) as ThreadItem;
    return [{ at: n + endsWith.length, item }];
  });
  return items.flatMap((item, n) => [
    item,
    ...late.filter(({ at }) => at === n).map((end) => end.item),
  ]);
}

const history = array(anyItem, { maxLength: 15, size: 'max' });

test(
  'without what has ended, Convex holds the same as with it, whatever it held before',
  { timeout: 60_000 + RUNS * 100 },
  async () => {
    let shortened = 0;
    await assert(
      asyncProperty(history, history, boolean(), async (earlier, later, isMigrated) => {
        const before = itemsOf(earlier, !isMigrated);
        const items = itemsOf(later, true);
        const { items: shorter, begun } = withoutBegun(items);
        if (begun.size === 0) return;
        shortened += 1;
        const long = await written(before, items, isMigrated);
        const short = await written(before, shorter, isMigrated);
        expect(short.held).toEqual(long.held);
        expect(short.counts).toEqual({ ...long.counts, known: long.counts.known - begun.size });
      }),
      { seed: 20_261_126, numRuns: RUNS },
    );
    expect(shortened).toBeGreaterThan(RUNS / 20);
  },
);

/** What is there when the two batches are in, but for when they came. */
async function written(before: ThreadItem[], items: ThreadItem[], isMigrated: boolean) {
  const convex = backend();
  const send = async (batch: ThreadItem[], historyMode: 'legacy' | 'paginated') => {
    const { thread, ...rest } = fileBatch(batch);
    return await convex.mutation(api.messages.ingest, {
      ...rest,
      thread: { ...thread, historyMode },
    });
  };
  await send(before, isMigrated ? 'legacy' : 'paginated');
  const { inserted, known, claimed } = await send(items, 'paginated');
  const held = await convex.run(async ({ db }) => ({
    rows: (await db.query('messages').collect()).map(
      ({ _id, _creationTime, createdAt: __, updatedAt: ___, ...row }) => row,
    ),
    threads: (await db.query('threads').collect()).map(({ _id, _creationTime, ...row }) => row),
  }));
  return { held, counts: { inserted, known, claimed } };
}
