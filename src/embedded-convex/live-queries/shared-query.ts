import type { Identity, QueryRequest, QueryResult } from '../executor.ts';
import type { Subscription } from './subscription.ts';

/** A finished run: what came out, and of which snapshot. */
export interface QueryRun {
  readonly ts: bigint;
  readonly result: QueryResult;
}

/** One query that runs once for all who asked the same; `LiveQueries` keeps it up to date. */
export interface SharedQuery {
  readonly family: QueryFamily;
  /** With the identity of whoever asked first; it matters only when the run looks at it. */
  readonly request: QueryRequest;
  readonly identityKey: string;
  readonly subscriptions: Set<Subscription>;
  run: QueryRun | null;
  /** Of the first commit that changed something the run had read. */
  staleSince: bigint | null;
  /** Settles when the run that is under way or waiting has been taken over. */
  running: Promise<void> | null;
}

/** The same path, arguments and journal for different callers. */
export interface QueryFamily {
  readonly key: string;
  /** False until a run asked who is calling; from then on each identity has a run of its own. */
  observesIdentity: boolean;
  /** By identity; all under one key while the identity does not matter. */
  readonly members: Map<string, SharedQuery>;
}

export function needsRun(query: SharedQuery): boolean {
  return query.run === null || query.staleSince !== null;
}

/** Under which key of its family a caller finds its query. */
export function memberKey(family: QueryFamily, identityKey: string): string {
  return family.observesIdentity ? identityKey : anybody;
}

/** Equal for equal claims, in whatever order they come. */
export function identityKeyOf(identity: Identity): string {
  if (identity === null) return 'null';
  return JSON.stringify(Object.entries(identity).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const anybody = '';
