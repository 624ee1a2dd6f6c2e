import type { Identity } from '../executor.ts';
import { identityKeyOf, needsRun } from './shared-query.ts';
import type { QueryRun, SharedQuery } from './shared-query.ts';

/** One client's interest in one query. Made, moved and ended by `LiveQueries`. */
export class Subscription {
  readonly identity: Identity;
  readonly identityKey: string;
  /** What it shares with others; changes with the journal, and when identity starts to matter. */
  query: SharedQuery;
  /** Called each time the result at hand may be out of date. */
  readonly onStale: () => void;

  constructor(query: SharedQuery, identity: Identity, onStale: () => void) {
    this.query = query;
    this.identity = identity;
    this.identityKey = identityKeyOf(identity);
    this.onStale = onStale;
    query.subscriptions.add(this);
  }

  /** The newest run, also when it is out of date. */
  get run(): QueryRun | null {
    return this.query.run;
  }

  get isStale(): boolean {
    return needsRun(this.query);
  }

  /** Whether the run at hand is what a run at `ts` would give. */
  validAt(ts: bigint): boolean {
    const { run, staleSince } = this.query;
    return run !== null && run.ts <= ts && (staleSince === null || staleSince > ts);
  }
}
