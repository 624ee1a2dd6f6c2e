/** Random programs for two backends: writes in transactions, queries and pages between them. */
import * as fc from 'fast-check';
import type { Value } from 'convex/values';

/** The indexes of the one table `t`, whose documents are not checked. */
export const indexFields: Record<string, string[]> = {
  by_a: ['a'],
  by_a_b: ['a', 'b'],
  by_inner: ['c.d', 'b'],
};

type Fields = Record<string, Value | undefined>;

/** `pick` names one of the documents there have been, counted round. */
type Write =
  | { do: 'insert'; fields: Fields }
  | { do: 'patch'; pick: number; fields: Fields }
  | { do: 'replace'; pick: number; fields: Fields }
  | { do: 'remove'; pick: number }
  | { do: 'get'; pick: number }
  | { do: 'read'; query: Query }
  | { do: 'call'; transaction: Writes };

/** `fails`: it throws after its last write. */
export interface Writes {
  writes: Write[];
  fails: boolean;
}

interface Bound {
  value: Value | undefined;
  inclusive: boolean;
}

export type Condition =
  | { is: Comparison; field: string; value: Value | undefined }
  | { is: 'and' | 'or'; conditions: Condition[] }
  | { is: 'not'; condition: Condition };

type Comparison = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte';

export interface Query {
  /** null: all of the table in the order of creation. */
  index: string | null;
  equal: (Value | undefined)[];
  lower: Bound | null;
  upper: Bound | null;
  order: 'asc' | 'desc';
  filter: Condition | null;
  take: number | null;
}

export type Step =
  | { do: 'write'; transaction: Writes }
  | { do: 'read'; query: Query }
  | { do: 'open'; query: Query; pageSize: number }
  /** The next page of one of the open paginations. */
  | { do: 'turn'; pick: number };

/** Few values, so that documents collide; of all types, so that order matters. */
const value = fc.oneof(
  fc.constantFrom<Value | undefined>(undefined, null, -1, 0, 1, 2.5, NaN, 1n, -300n, true, false),
  fc.constantFrom<Value>('', 'x', 'x\0', 'y', '\u{1f600}', '\uffee'),
  fc.constantFrom<Value>([1], [1, 'x'], [], {}, { d: 1 }, new Uint8Array([1, 0]).buffer),
);

const anyFields = {
  a: value,
  b: value,
  c: fc.oneof(value, fc.record({ d: value }, { requiredKeys: [] })),
  n: fc.integer({ min: 0, max: 3 }),
};
/** Every document has the number `n`. */
const wholeFields: fc.Arbitrary<Fields> = fc.record(anyFields, { requiredKeys: ['n'] });
const someFields: fc.Arbitrary<Fields> = fc.record(anyFields, { requiredKeys: [] });

const condition: fc.Arbitrary<Condition> = fc.letrec<{ any: Condition }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2, depthIdentifier: 'filter' },
    fc.record({
      is: fc.constantFrom<Comparison>('eq', 'neq'),
      field: fc.constantFrom('a', 'b', 'c', 'c.d', 'none'),
      value,
    }),
    // In convex-test's filters, order is JavaScript's own: as Convex's for numbers only.
    fc.record({
      is: fc.constantFrom<Comparison>('lt', 'lte', 'gt', 'gte'),
      field: fc.constant('n'),
      value: fc.integer({ min: -1, max: 4 }),
    }),
    fc.record({
      is: fc.constantFrom<'and' | 'or'>('and', 'or'),
      conditions: fc.array(tie('any'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ is: fc.constant('not' as const), condition: tie('any') }),
  ),
})).any;

const bound: fc.Arbitrary<Bound | null> = fc.option(fc.record({ value, inclusive: fc.boolean() }));

const query: fc.Arbitrary<Query> = fc
  .record({
    index: fc.constantFrom(null, ...Object.keys(indexFields)),
    equal: fc.array(value, { maxLength: 2 }),
    lower: bound,
    upper: bound,
    order: fc.constantFrom('asc' as const, 'desc' as const),
    filter: fc.option(condition),
    take: fc.option(fc.integer({ min: 1, max: 5 })),
  })
  .map((made) => {
    const count = made.index === null ? 0 : (indexFields[made.index]?.length ?? 0);
    const equal = made.equal.slice(0, count);
    // Behind the index's own fields come `_creationTime` and `_id`: no bounds there.
    return equal.length < count ? { ...made, equal } : { ...made, equal, lower: null, upper: null };
  });

const pick = fc.nat(60);

const writes: fc.Arbitrary<Writes> = fc.letrec<{ writes: Writes; write: Write }>((tie) => ({
  writes: fc.record({
    writes: fc.array(tie('write'), { maxLength: 8, depthIdentifier: 'call' }),
    fails: fc.boolean(),
  }),
  write: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'call' },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('insert' as const), fields: wholeFields }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('patch' as const), pick, fields: someFields }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('replace' as const), pick, fields: wholeFields }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), pick }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('get' as const), pick }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('read' as const), query }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('call' as const), transaction: tie('writes') }),
    },
  ),
})).writes;

const transaction = fc
  .tuple(writes, fc.nat(4))
  .map(([made, chance]) => ({ ...made, fails: made.fails && chance === 0 }));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), transaction }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), query }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('open' as const),
      // A page of a limited query is not something that Convex's own types allow.
      query: query.map((made) => ({ ...made, take: null })),
      pageSize: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('turn' as const), pick }) },
);

export const program: fc.Arbitrary<Step[]> = fc.array(step, {
  minLength: 5,
  maxLength: 30,
  size: 'max',
});
