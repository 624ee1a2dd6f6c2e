/** What the programs do with the database, as functions of whichever backend runs them. */
import { internalMutationGeneric, makeFunctionReference } from 'convex/server';
import type {
  DataModelFromSchemaDefinition,
  ExpressionOrValue,
  FilterBuilder,
  GenericMutationCtx,
  GenericQueryCtx,
  GenericTableInfo,
  OrderedQuery,
} from 'convex/server';
import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';
import type { GenericId, Value } from 'convex/values';
import { indexFields } from './program.ts';
import type { Condition, Query, Writes } from './program.ts';

export const schema = defineSchema(
  {
    t: defineTable(v.any())
      .index('by_a', ['a'])
      .index('by_a_b', ['a', 'b'])
      .index('by_inner', ['c.d', 'b']),
  },
  { schemaValidation: false },
);

type DataModel = DataModelFromSchemaDefinition<typeof schema>;
type Id = GenericId<'t'>;

/** The ids of all documents that were made, in the order of their making. */
export type Ids = string[];

/** What a transaction found: results of its steps, in order. */
export type Results = unknown[];

/** Throws `planned` at the end when the program says so. */
export async function perform(
  ctx: GenericMutationCtx<DataModel>,
  { writes, fails }: Writes,
  ids: Ids,
): Promise<Results> {
  const results: Results = [];
  for (const write of writes) {
    try {
      results.push(await performOne(ctx, write, ids));
    } catch (error) {
      if (isBroken(error)) throw error;
      results.push('refused');
    }
  }
  if (fails) throw new Error('planned');
  return results;
}

async function performOne(
  ctx: GenericMutationCtx<DataModel>,
  write: Writes['writes'][number],
  ids: Ids,
): Promise<unknown> {
  const { db } = ctx;
  switch (write.do) {
    case 'insert':
      ids.push(await db.insert('t', write.fields));
      return 'inserted';
    case 'patch':
      await db.patch(picked(ids, write.pick), { ...write.fields });
      return 'patched';
    case 'replace':
      await db.replace(picked(ids, write.pick), { ...write.fields });
      return 'replaced';
    case 'remove':
      await db.delete(picked(ids, write.pick));
      return 'removed';
    case 'get':
      return db.get(picked(ids, write.pick));
    case 'read':
      return read(ctx, write.query);
    case 'call':
      return callNested(ctx, write.transaction, ids);
  }
}

/** Through a function reference, so that it has its own part of the transaction. */
async function callNested(
  ctx: GenericMutationCtx<DataModel>,
  transaction: Writes,
  ids: Ids,
): Promise<unknown> {
  const ticket = tickets.push({ transaction, ids }) - 1;
  return ctx.runMutation(makeFunctionReference<'mutation'>('functions:nested'), { ticket });
}

const tickets: { transaction: Writes; ids: Ids }[] = [];

export const nested = internalMutationGeneric({
  args: { ticket: v.number() },
  handler: async (ctx: GenericMutationCtx<DataModel>, { ticket }) => {
    const called = tickets[ticket];
    if (called === undefined) throw new Error('no such ticket');
    return (await perform(ctx, called.transaction, called.ids)) as Value;
  },
});

export async function read(ctx: GenericQueryCtx<DataModel>, query: Query): Promise<unknown[]> {
  const built = build(ctx, query);
  return query.take === null ? built.collect() : built.take(query.take);
}

export function build(
  ctx: GenericQueryCtx<DataModel>,
  query: Query,
): OrderedQuery<GenericTableInfo> {
  // The types of ranges follow the index; these are made at run time.
  const table = ctx.db.query('t') as unknown as RangedQuery;
  const ranged =
    query.index === null
      ? table.fullTableScan()
      : table.withIndex(query.index, (range) => applyRange(range, query));
  const ordered = ranged.order(query.order);
  const { filter } = query;
  return filter === null ? ordered : ordered.filter((q) => condition(q, filter));
}

interface RangedQuery {
  fullTableScan(): { order(order: 'asc' | 'desc'): OrderedQuery<GenericTableInfo> };
  withIndex(
    name: string,
    range: (builder: Range) => Range,
  ): { order(order: 'asc' | 'desc'): OrderedQuery<GenericTableInfo> };
}

type Range = {
  [method in 'eq' | 'gt' | 'gte' | 'lt' | 'lte']: (field: string, value?: Value) => Range;
};

function applyRange(range: Range, { index, equal, lower, upper }: Query): Range {
  const fields = indexFields[index ?? ''] ?? [];
  let built = range;
  for (const [at, value] of equal.entries()) built = built.eq(fields[at] ?? '', value);
  const field = fields[equal.length] ?? '';
  if (lower !== null) built = built[lower.inclusive ? 'gte' : 'gt'](field, lower.value);
  if (upper !== null) built = built[upper.inclusive ? 'lte' : 'lt'](field, upper.value);
  return built;
}

function condition(
  q: FilterBuilder<GenericTableInfo>,
  wanted: Condition,
): ExpressionOrValue<boolean> {
  switch (wanted.is) {
    case 'and':
      return q.and(...wanted.conditions.map((part) => condition(q, part)));
    case 'or':
      return q.or(...wanted.conditions.map((part) => condition(q, part)));
    case 'not':
      return q.not(condition(q, wanted.condition));
    default:
      // All six comparisons have the same type; the compiler does not see it through the union.
      return (q[wanted.is] as FilterBuilder<GenericTableInfo>['eq'])(
        q.field(wanted.field),
        wanted.value,
      );
  }
}

function picked(ids: Ids, pick: number): Id {
  const id = ids[pick % Math.max(1, ids.length)];
  if (id === undefined) throw new Error('nothing was made yet');
  // Only inserts into the table have put ids there.
  return id as Id;
}

/** Neither backend's refusal of a write: the test itself went wrong. */
function isBroken(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError;
}
