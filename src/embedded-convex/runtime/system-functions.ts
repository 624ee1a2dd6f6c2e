import { internalQueryGeneric, paginationOptsValidator } from 'convex/server';
import type { GenericDataModel, GenericDatabaseReader } from 'convex/server';
import { v } from 'convex/values';
import type { FunctionLookup, RegisteredFunction } from './function-registry.ts';
import { FunctionRegistry } from './function-registry.ts';
import { currentExecution } from './execution.ts';

/**
 * The application's functions, and those that `npx convex` asks every deployment for, by
 * Convex's own names for them: `data`, `run` and `env list` live on these. Being internal, they
 * answer the admin key alone.
 */
export class FunctionsWithSystem implements FunctionLookup {
  readonly #application: FunctionRegistry;
  readonly #system: FunctionRegistry;

  constructor(application: FunctionRegistry, env: Record<string, string>) {
    this.#application = application;
    this.#system = new FunctionRegistry(systemModules(application, env));
  }

  find(path: string): RegisteredFunction | null {
    return this.#application.find(path) ?? this.#system.find(path);
  }

  hasModule(name: string): boolean {
    return this.#application.hasModule(name);
  }
}

function systemModules(application: FunctionRegistry, env: Record<string, string>): object {
  const variables = Object.entries(env)
    .map(([name, value]) => ({ name, value }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    '_system/cli/tables': { default: tables },
    '_system/cli/tableData': { default: tableData },
    '_system/cli/tableSize': { default: tableSize },
    '_system/cli/modules': {
      apiSpec: internalQueryGeneric({
        args: { componentId: v.optional(v.union(v.string(), v.null())) },
        handler: () => application.specifications(),
      }),
    },
    '_system/cli/convexUrl': {
      // Only who starts the backend knows under which address its clients reach it.
      cloudUrl: internalQueryGeneric({ args: {}, handler: () => env['CONVEX_CLOUD_URL'] ?? null }),
    },
    '_system/cli/queryEnvironmentVariables': {
      default: internalQueryGeneric({ args: {}, handler: () => variables }),
      get: internalQueryGeneric({
        args: { name: v.string() },
        handler: (_, { name }) => variables.find((variable) => variable.name === name) ?? null,
      }),
    },
    // `npx convex import` and `export` ask first whether one is going on. None is, and what they
    // ask for next is refused with words of its own.
    '_system/cli/queryImport': { list: internalQueryGeneric({ args: {}, handler: () => [] }) },
    '_system/cli/exports': {
      getLatest: internalQueryGeneric({ args: {}, handler: () => null }),
    },
  };
}

/** All at once: it is only in the form of a page because `npx convex` asks for pages. */
const tables = internalQueryGeneric({
  args: { paginationOpts: paginationOptsValidator },
  handler: async () => ({
    page: (await tableNames()).map((name) => ({ name })),
    isDone: true,
    continueCursor: 'end',
  }),
});

const tableData = internalQueryGeneric({
  args: {
    table: v.string(),
    order: v.union(v.literal('asc'), v.literal('desc')),
    paginationOpts: paginationOptsValidator,
  },
  handler: ({ db }, { table, order, paginationOpts }) =>
    readerOf(db, table)
      .query(table)
      .order(order)
      .paginate({ ...paginationOpts, ...pageLimits }),
});

const tableSize = internalQueryGeneric({
  args: { tableName: v.string() },
  handler: async (_, { tableName }) =>
    Number(
      await currentExecution.getStore()?.asyncSyscall('1.0/count', asText({ table: tableName })),
    ),
});

/** A page of this many rows or bytes is short of the limits of a query, whatever is asked for. */
const pageLimits = { maximumRowsRead: 16_000, maximumBytesRead: 8 << 20 };

/** Tables of the system have names that begin with an underscore. */
function readerOf(
  db: GenericDatabaseReader<GenericDataModel>,
  table: string,
): Pick<GenericDatabaseReader<GenericDataModel>, 'query'> {
  return table.startsWith('_') ? db.system : db;
}

async function tableNames(): Promise<string[]> {
  const names = await currentExecution.getStore()?.asyncSyscall(tableNamesOperation, '{}');
  // The engine's own answer: see DatabaseSyscalls.
  return JSON.parse(names ?? '[]') as string[];
}

function asText(args: object): string {
  return JSON.stringify(args);
}

/** Not one of Convex's syscalls: it keeps such things from functions altogether. */
export const tableNamesOperation = 'embedded/tableNames';
