/** What can go wrong with the database itself; the function that runs is not to blame. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, detail: string, options?: ErrorOptions) {
    super(detail === '' ? messages[code] : `${messages[code]}: ${detail}`, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

export type StoreErrorCode = keyof typeof messages;

/** Runs something on SQLite (`path` says on which file) and turns what SQLite throws into a `StoreError`. */
export function translatingErrors<Result>(path: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw translateError(path, error);
  }
}

/** What SQLite threw as a `StoreError`; anything else as it is. */
export function translateError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error;
  // The low byte is the primary result code; the rest says more than we need.
  const known = byResultCode[Number(error.errcode) & 0xff] ?? 'DatabaseFailed';
  return new StoreError(known, `${path} (${error.message})`, { cause: error });
}

const messages = {
  DatabaseCorrupt: 'The database file is damaged',
  DatabaseForeign: 'The file is an SQLite database of another program; choose another path',
  DatabaseTooNew: 'The database was written by a newer version; update this program',
  DatabaseInUse: 'Another process uses this database; stop it first',
  DatabaseUnreadable: 'The database file cannot be opened; check the path and its permissions',
  DiskFull: 'The disk is full; nothing of this change was written',
  DatabaseFailed: 'SQLite failed',
  TransactionEnded: 'The transaction has ended or another commit came after it began',
  WriteInProgress: 'Another writing transaction has not ended',
} as const;

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const byResultCode: Record<number, StoreErrorCode> = {
  3: 'DatabaseUnreadable',
  5: 'DatabaseInUse',
  6: 'DatabaseInUse',
  8: 'DatabaseUnreadable',
  10: 'DatabaseUnreadable',
  11: 'DatabaseCorrupt',
  13: 'DiskFull',
  14: 'DatabaseUnreadable',
  26: 'DatabaseCorrupt',
};
