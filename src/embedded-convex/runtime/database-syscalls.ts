import { convexToJson } from 'convex/values';
import { FunctionError } from '../function-error.ts';
import type { OpenQuery, Transaction } from '../transaction.ts';
import { queryArgument } from './query-argument.ts';
import { tableNamesOperation } from './system-functions.ts';
import { SyscallArguments } from './syscall-arguments.ts';

interface DatabaseSyscallsOptions {
  isReadOnly: boolean;
  /** Where the page of the last run ended, if this is a new run of the same. */
  previousJournal: string | null;
  onPage(journal: string): void;
  looksAhead?: boolean;
}

/** The syscalls of `ctx.db`, for one function. Answers are JSON text. */
export class DatabaseSyscalls {
  readonly #transaction: Transaction;
  readonly #options: DatabaseSyscallsOptions;
  readonly #queries = new Map<number, OpenQuery>();
  #nextQueryId = 0;
  #hasReadPage = false;

  constructor(transaction: Transaction, options: DatabaseSyscallsOptions) {
    this.#transaction = transaction;
    this.#options = options;
  }

  syscall(operation: string, text: string): string {
    const args = new SyscallArguments(operation, text);
    switch (operation) {
      case '1.0/queryStream':
        return this.#openQuery(args);
      case '1.0/queryCleanup':
        return JSON.stringify(this.#closeQuery(args.number('queryId')));
      case '1.0/db/normalizeId': {
        const id = this.#transaction.normalizeId(args.string('table'), args.string('idString'));
        return JSON.stringify({ id });
      }
      case '1.0/getSnapshotTs':
        return JSON.stringify(convexToJson(this.#transaction.ts));
      default:
        throw new FunctionError('UnknownOperation', `Unknown operation ${operation}`);
    }
  }

  asyncSyscall(operation: string, text: string): string {
    const args = new SyscallArguments(operation, text);
    switch (operation) {
      case '1.0/get':
        return this.#get(args);
      case '1.0/queryStreamNext':
        return this.#next(args.number('queryId'));
      case '1.0/queryPage':
        return this.#readPage(args);
      case tableNamesOperation:
        return JSON.stringify(this.#transaction.tableNames());
      case '1.0/count':
        return JSON.stringify(this.#transaction.count(args.string('table')));
      case '1.0/insert':
      case '1.0/shallowMerge':
      case '1.0/replace':
      case '1.0/remove':
        return this.#write(operation, args);
      default:
        throw new FunctionError('UnknownAsyncOperation', `Unknown async operation ${operation}`);
    }
  }

  #get(args: SyscallArguments): string {
    const [id, table] = [args.string('id'), args.optionalString('table')];
    return this.#transaction.get(id, table, args.isTrue('isSystem'))?.json ?? 'null';
  }

  #write(operation: string, args: SyscallArguments): string {
    if (this.#options.isReadOnly) {
      throw new FunctionError('OperationNotAllowed', 'Queries cannot write to the database.');
    }
    if (operation === '1.0/insert') {
      const id = this.#transaction.insert(args.string('table'), args.object('value'));
      return JSON.stringify({ _id: id });
    }
    const id = args.string('id');
    const table = args.optionalString('table');
    if (operation === '1.0/remove') return this.#transaction.remove(id, table).json;
    const value = args.object('value');
    return operation === '1.0/replace'
      ? this.#transaction.replace(id, value, table).json
      : this.#transaction.patch(id, value, table).json;
  }

  #openQuery(args: SyscallArguments): string {
    const queryId = this.#nextQueryId++;
    this.#queries.set(queryId, this.#transaction.openQuery(queryArgument(args.json('query'))));
    return JSON.stringify({ queryId });
  }

  #next(queryId: number): string {
    const query = this.#queries.get(queryId);
    if (query === undefined) {
      throw new FunctionError('QueryNotFound', 'in-progress query not found');
    }
    const doc = query.next();
    if (doc !== null) return `{"value":${doc.json},"done":false}`;
    this.#closeQuery(queryId);
    return '{"value":null,"done":true}';
  }

  #closeQuery(queryId: number): boolean {
    this.#queries.get(queryId)?.close();
    return this.#queries.delete(queryId);
  }

  #readPage(args: SyscallArguments): string {
    if (this.#hasReadPage) {
      throw new FunctionError(
        'MultiplePaginatedDatabaseQueries',
        'This query or mutation function ran multiple paginated queries. Convex only supports a single paginated query in each function.',
      );
    }
    const page = this.#transaction.queryPage(queryArgument(args.json('query')), {
      cursor: args.optionalString('cursor') ?? null,
      endCursor: args.optionalString('endCursor') ?? this.#options.previousJournal,
      pageSize: args.number('pageSize'),
      maximumRowsRead: args.optionalNumber('maximumRowsRead'),
      maximumBytesRead: args.optionalNumber('maximumBytesRead'),
      looksAhead: this.#options.looksAhead ?? false,
    });
    this.#hasReadPage = true;
    this.#options.onPage(page.continueCursor);
    const { page: docs, ...rest } = page;
    const ends = JSON.stringify(rest).slice(1);
    return `{"page":[${docs.map((doc) => doc.json).join(',')}],${ends}`;
  }
}
