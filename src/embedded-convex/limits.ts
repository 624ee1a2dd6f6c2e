import { FunctionError } from './function-error.ts';

/** What one transaction may read and write. Counts and bytes. */
export interface TransactionLimits {
  documentsRead: number;
  bytesRead: number;
  /** Separate index intervals in the read set. */
  databaseQueries: number;
  /** Calls of `db.get` and `db.query`, also of what was read before; none unless given. */
  databaseCalls?: number;
  documentsWritten: number;
  bytesWritten: number;
  functionsScheduled: number;
  /** The arguments of scheduled functions, in bytes. */
  scheduledBytes: number;
}

export type UsageName = Exclude<keyof TransactionLimits, 'databaseCalls'>;

/** Convex's own. */
export const defaultLimits: Required<Omit<TransactionLimits, 'databaseCalls'>> = {
  documentsRead: 32_000,
  bytesRead: 1 << 24,
  databaseQueries: 4096,
  documentsWritten: 16_000,
  bytesWritten: 1 << 24,
  functionsScheduled: 1000,
  scheduledBytes: 1 << 24,
};

/** For the engine's own transactions. */
export const noLimits: TransactionLimits = {
  documentsRead: Infinity,
  bytesRead: Infinity,
  databaseQueries: Infinity,
  documentsWritten: Infinity,
  bytesWritten: Infinity,
  functionsScheduled: Infinity,
  scheduledBytes: Infinity,
};

/** What a transaction has used of its limits. Counting goes on past a limit, as upstream's does. */
export class Usage {
  limits: TransactionLimits;
  /** Set by whoever keeps the read set. */
  countIntervals = (): number => 0;
  documentsRead = 0;
  bytesRead = 0;
  documentsWritten = 0;
  bytesWritten = 0;
  functionsScheduled = 0;
  scheduledBytes = 0;
  #calls = 0;

  constructor(limits: TransactionLimits) {
    this.limits = limits;
  }

  read(bytes: number): void {
    this.documentsRead += 1;
    this.bytesRead += bytes;
    if (this.documentsRead > this.limits.documentsRead) {
      throw new ReadLimitError('TooManyDocumentsRead', 'documents read', this.limits.documentsRead);
    }
    if (this.bytesRead > this.limits.bytesRead) {
      throw new ReadLimitError('TooManyBytesRead', 'bytes read', `${this.limits.bytesRead} bytes`);
    }
  }

  /** Separate index intervals in the read set. Costs more the more there are. */
  get databaseQueries(): number {
    return this.countIntervals();
  }

  /** Of `db.get` and `db.query`. */
  call(): void {
    this.#calls += 1;
    const { databaseCalls = Infinity } = this.limits;
    if (this.#calls > databaseCalls) {
      throw new ReadLimitError('TooManyReads', 'reads', databaseCalls);
    }
  }

  /**
   * While a called function runs: what it may use beyond what is used already, and never more
   * than the caller may. Returns how to undo it.
   */
  lower(budget: Partial<Record<UsageName, number>>): () => void {
    const { limits } = this;
    const names = Object.keys(budget) as UsageName[]; // the type has no other keys
    const lowered = names.map((name) => [
      name,
      Math.min(limits[name], this[name] + (budget[name] ?? Infinity)),
    ]);
    this.limits = { ...limits, ...Object.fromEntries(lowered) };
    return () => {
      this.limits = limits;
    };
  }

  /** `bytes` is 0 for a deletion. */
  write(bytes: number): void {
    this.documentsWritten += 1;
    this.bytesWritten += bytes;
    if (this.documentsWritten > this.limits.documentsWritten) {
      throw new FunctionError(
        'TooManyWrites',
        `Too many writes in a single function execution (limit: ${this.limits.documentsWritten})`,
      );
    }
    if (this.bytesWritten > this.limits.bytesWritten) {
      throw new FunctionError(
        'TooManyBytesWritten',
        `Too many bytes written in a single function execution (limit: ${displayLimit(this.limits.bytesWritten)})`,
      );
    }
  }

  /** `bytes`: of the arguments. What is refused is not counted. */
  schedule(bytes: number): void {
    const { functionsScheduled, scheduledBytes } = this.limits;
    if (this.functionsScheduled >= functionsScheduled) {
      throw new FunctionError(
        'TooManyFunctionsScheduled',
        `Too many functions scheduled by this mutation (limit: ${functionsScheduled})`,
      );
    }
    if (this.scheduledBytes + bytes > scheduledBytes) {
      throw new FunctionError(
        'ScheduledFunctionsArgumentsTooLarge',
        `Too large total size of the arguments of scheduled functions from this mutation (limit: ${scheduledBytes} bytes)`,
      );
    }
    this.functionsScheduled += 1;
    this.scheduledBytes += bytes;
  }
}

/** Ends a page early instead of failing the function, when a page is being read. */
export class ReadLimitError extends FunctionError {
  constructor(code: string, what: string, limit: number | string) {
    super(
      code,
      `Too many ${what} in a single function execution (limit: ${limit}). Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a selective index range expressions.`,
    );
  }
}

function displayLimit(bytes: number): string {
  const mebibyte = 1 << 20;
  return bytes % mebibyte === 0 ? `${bytes / mebibyte} MiB` : `${bytes} bytes`;
}
