import type { StatementSync } from 'node:sqlite';
import { RowQuery } from './database.ts';
import type { Database } from './database.ts';
import type { RequestRecord } from './transaction.ts';

export interface RecordedRequest extends RequestRecord {
  /** Of the commit. Nanoseconds. */
  ts: bigint;
}

/** The answers of mutations by (session, request), written in the mutation's own commit. */
export class SessionRequests {
  readonly #find: RowQuery<[result: string, logLines: string, ts: string]>;
  readonly #record: StatementSync;
  readonly #prune: StatementSync;
  #prunedAt = 0;

  constructor(database: Database) {
    this.#find = new RowQuery(
      database,
      `SELECT result, log_lines, CAST(ts AS TEXT) FROM session_requests
       WHERE session_id = ? AND request_id = ?`,
    );
    this.#record = database.prepare('INSERT INTO session_requests VALUES (?, ?, ?, ?, ?)');
    this.#prune = database.prepare('DELETE FROM session_requests WHERE ts < ?');
  }

  find(sessionId: string, requestId: number): RecordedRequest | null {
    const row = this.#find.first(sessionId, requestId);
    if (row === null) return null;
    const [result, logLines, ts] = row;
    // `record` wrote an array of strings.
    const lines = JSON.parse(logLines) as string[];
    return { sessionId, requestId, result, logLines: lines, ts: BigInt(ts) };
  }

  record(request: RequestRecord, ts: bigint): void {
    const logLines = JSON.stringify(request.logLines);
    this.#record.run(ts, request.sessionId, request.requestId, request.result, logLines);
  }

  /** Removes what is too old to be asked for. `now` in milliseconds. */
  prune(now: number): void {
    this.#prunedAt = now;
    this.#prune.run(BigInt(Math.floor(now - keptMs)) * 1_000_000n);
  }

  /** Cheap to call after every commit. */
  pruneSometimes(now: number): void {
    if (now - this.#prunedAt >= pruneIntervalMs) this.prune(now);
  }
}

/** As long as Convex keeps them: two weeks. */
const keptMs = 14 * 24 * 60 * 60 * 1000;
const pruneIntervalMs = 60 * 60 * 1000;
