import type { PaginationResult } from 'convex/server';
import type { convexTest } from '../../../../src/embedded-convex/testing/convex-test.ts';
import { build, perform, read, schema } from './functions.ts';
import type { Ids } from './functions.ts';
import type { Query, Step, Writes } from './program.ts';

/** Either implementation: they have the same interface. */
export type ConvexTest = typeof convexTest;

type Backend = ReturnType<typeof convexTest<typeof schema.tables>>;

const modules = {
  './_generated/api.js': () => Promise.resolve({}),
  './functions.ts': () => import('./functions.ts'),
};

/** What every step of the program gave; documents named by the order of their making. */
export async function runProgram(convexTest: ConvexTest, program: Step[]): Promise<unknown[]> {
  const backend = convexTest(schema, modules);
  const ids: Ids = [];
  const open: Pagination[] = [];
  const seen: unknown[] = [];
  for (const step of program) {
    seen.push(named(await performStep(backend, step, ids, open), ids));
  }
  return seen;
}

interface Pagination {
  query: Query;
  pageSize: number;
  cursor: string | null;
  isDone: boolean;
}

async function performStep(
  backend: Backend,
  step: Step,
  ids: Ids,
  open: Pagination[],
): Promise<unknown> {
  switch (step.do) {
    case 'write':
      return write(backend, step.transaction, ids);
    case 'read':
      return backend.query((ctx) => read(ctx, step.query));
    case 'open': {
      const pagination = {
        query: step.query,
        pageSize: step.pageSize,
        cursor: null,
        isDone: false,
      };
      open.push(pagination);
      return turn(backend, pagination);
    }
    case 'turn': {
      const pagination = open[step.pick % Math.max(1, open.length)];
      return pagination === undefined ? null : turn(backend, pagination);
    }
  }
}

async function write(backend: Backend, transaction: Writes, ids: Ids): Promise<unknown> {
  try {
    return await backend.mutation((ctx) => perform(ctx, transaction, ids));
  } catch (error) {
    if (transaction.fails && error instanceof Error && error.message.includes('planned')) {
      return 'failed as planned';
    }
    throw error;
  }
}

async function turn(backend: Backend, pagination: Pagination): Promise<unknown> {
  const { query, pageSize, cursor } = pagination;
  if (pagination.isDone) return null;
  const result: PaginationResult<unknown> = await backend.query((ctx) =>
    build(ctx, query).paginate({ numItems: pageSize, cursor }),
  );
  pagination.cursor = result.continueCursor;
  pagination.isDone = result.isDone;
  return { page: result.page, isDone: result.isDone };
}

/** The same in both backends: ids by their place, without the times of creation. */
function named(result: unknown, ids: Ids): unknown {
  if (typeof result === 'string') {
    const at = ids.indexOf(result);
    return at === -1 ? result : `document ${at}`;
  }
  if (Array.isArray(result)) return result.map((element) => named(element, ids));
  if (typeof result !== 'object' || result === null || result instanceof ArrayBuffer) return result;
  const fields = Object.entries(result).filter(([name]) => name !== '_creationTime');
  return Object.fromEntries(fields.map(([name, value]) => [name, named(value, ids)]));
}
