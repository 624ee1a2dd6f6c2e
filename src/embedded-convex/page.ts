import { decodeCursor, encodeCursor, queryFingerprint } from './cursor.ts';
import type { CursorPosition } from './cursor.ts';
import type { Doc } from './doc.ts';
import { FunctionError } from './function-error.ts';
import type { KeyInterval } from './index-range.ts';
import type { ScannedDocument } from './index-scan.ts';
import { defaultLimits, ReadLimitError } from './limits.ts';
import { QueryStream } from './query.ts';
import type { CompiledOperator, CompiledSource, QueryJson } from './query.ts';
import { afterKey, compareKeys } from './values/keys.ts';

export interface PageRequest {
  cursor: string | null;
  /** From the journal of an earlier run, or the client's: the page ends exactly there. */
  endCursor?: string | null | undefined;
  pageSize: number;
  maximumRowsRead?: number | null | undefined;
  maximumBytesRead?: number | null | undefined;
  /** A full page looks whether anything is behind it, as convex-test's does; Convex's does not. */
  looksAhead?: boolean;
}

export interface Page {
  page: Doc[];
  isDone: boolean;
  /** Also the journal: passed back as `endCursor`, it keeps the page's end where it is. */
  continueCursor: string;
  splitCursor: string | null;
  pageStatus: 'SplitRecommended' | 'SplitRequired' | null;
}

/** Starts a scan of a part of the source; `expected` is how many rows it may well need. */
export type OpenScan = (interval: KeyInterval, expected: number) => () => ScannedDocument | null;

/** One page of a query, as `paginate()` returns it. */
export function readPage(
  query: QueryJson,
  source: CompiledSource,
  operators: CompiledOperator[],
  request: PageRequest,
  openScan: OpenScan,
): Page {
  checkRequest(request);
  const fields = source.index?.fields.map((field) => field.name) ?? [];
  const fingerprint = queryFingerprint(query, fields);
  const start = request.cursor === null ? null : decodeCursor(request.cursor, fingerprint);
  const given = request.endCursor ?? null;
  const end = given === null ? null : decodeCursor(given, fingerprint);

  const reader = new PageReader(request, end !== null, start);
  const interval = pageInterval(source, start, end);
  if (interval !== null) {
    reader.read(openScan(interval, request.pageSize), operators);
  } else {
    reader.position = 'end';
  }
  const position = end ?? reader.position;
  if (position === null) throw new Error('a page was read without moving');
  // Two searches for half the page each would be more work, not less.
  const split = source.search === null ? reader.splitPosition() : null;
  return {
    page: reader.page,
    isDone: position === 'end',
    continueCursor: encodeCursor(position, fingerprint),
    splitCursor: split === null ? null : encodeCursor(split, fingerprint),
    pageStatus: reader.status(),
  };
}

class PageReader {
  readonly page: Doc[] = [];
  position: CursorPosition | null;
  readonly #request: PageRequest;
  /** Then everything up to it is read, whatever the page size and the limits say. */
  readonly #hasEnd: boolean;
  readonly #seen: Uint8Array[] = [];
  #rows = 0;
  #bytes = 0;
  #cutShort = false;

  constructor(request: PageRequest, hasEnd: boolean, start: CursorPosition | null) {
    this.#request = request;
    this.#hasEnd = hasEnd;
    this.position = start;
  }

  read(scan: () => ScannedDocument | null, operators: CompiledOperator[]): void {
    const stream = new QueryStream(() => this.#take(scan), operators);
    while (this.#hasEnd || this.page.length < this.#request.pageSize) {
      const doc = this.#nextOrCut(stream);
      if (doc === null) return;
      this.page.push(doc);
    }
    if (this.#request.looksAhead === true && scan() === null) this.position = 'end';
  }

  /** The middle of what was seen, for a client that wants two smaller pages instead. */
  splitPosition(): CursorPosition | null {
    const middle = this.#seen.length > 2 ? this.#seen[this.#seen.length >> 1] : undefined;
    return middle === undefined ? null : { after: middle };
  }

  status(): Page['pageStatus'] {
    if (this.#cutShort) return 'SplitRequired';
    const { maximumRowsRead, maximumBytesRead } = this.#request;
    const rows = Math.min(maximumRowsRead ?? Infinity, defaultLimits.documentsRead);
    const bytes = Math.min(maximumBytesRead ?? Infinity, defaultLimits.bytesRead);
    const isLarge =
      this.#rows > rows * softShare ||
      this.#bytes > bytes * softShare ||
      this.page.length > largestArray * softShare;
    return isLarge ? 'SplitRecommended' : null;
  }

  #nextOrCut(stream: QueryStream): Doc | null {
    try {
      const doc = stream.next();
      // Also a limit operator can end the stream: then there is nothing behind the page.
      if (doc === null && !this.#cutShort) this.position = 'end';
      return doc;
    } catch (error) {
      if (!(error instanceof ReadLimitError) || this.position === null) throw error;
      this.#cutShort = true;
      return null;
    }
  }

  #take(scan: () => ScannedDocument | null): ScannedDocument | null {
    if (!this.#hasEnd && this.#isOverRequestedLimit()) {
      this.#cutShort = true;
      return null;
    }
    const found = scan();
    if (found === null) return null;
    this.#rows += 1;
    this.#bytes += found.doc.size;
    this.position = { after: found.key };
    this.#seen.push(found.key);
    return found;
  }

  #isOverRequestedLimit(): boolean {
    const { maximumRowsRead, maximumBytesRead } = this.#request;
    return (
      this.#rows >= (maximumRowsRead ?? Infinity) || this.#bytes >= (maximumBytesRead ?? Infinity)
    );
  }
}

/** Share of a limit from which on a split is recommended. */
const softShare = 3 / 4;
/** Elements: a page is an array in the function's result. */
const largestArray = 8192;

/** What lies behind the start cursor, up to and including the end cursor; null: nothing. */
function pageInterval(
  source: CompiledSource,
  start: CursorPosition | null,
  end: CursorPosition | null,
): KeyInterval | null {
  if (start === 'end') return null;
  let { from, to } = source.interval;
  if (source.order === 'asc') {
    if (start !== null) from = later(from, afterKey(start.after));
    if (end !== null && end !== 'end') to = earlier(to, afterKey(end.after));
  } else {
    if (start !== null) to = earlier(to, start.after);
    if (end !== null && end !== 'end') from = later(from, end.after);
  }
  return to !== null && compareKeys(from, to) >= 0 ? null : { from, to };
}

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareKeys(a, b) > 0 ? a : b;
}

function earlier(a: Uint8Array | null, b: Uint8Array): Uint8Array {
  return a !== null && compareKeys(a, b) < 0 ? a : b;
}

function checkRequest(request: PageRequest): void {
  const { pageSize, maximumRowsRead, maximumBytesRead } = request;
  if (pageSize <= 0) {
    throw new FunctionError(
      'NoDocumentsForPagination',
      'Must request at least 1 document while paginating',
    );
  }
  if (!Number.isInteger(pageSize)) {
    throw new FunctionError(
      'InvalidArgument',
      `Invalid argument \`pageSize\` for \`queryPage\`: ${pageSize} is not a whole number`,
    );
  }
  if (pageSize > defaultLimits.documentsRead) {
    throw new FunctionError('PageSizeTooLarge', `Requested too many items: ${pageSize}`);
  }
  if (maximumRowsRead === 0 || maximumBytesRead === 0) {
    throw new FunctionError(
      'InvalidPaginationLimit',
      'maximumRowsRead and maximumBytesRead must be greater than 0',
    );
  }
}
