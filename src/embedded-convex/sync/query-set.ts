import type { Caller } from '../authentication.ts';
import type { LiveQueries } from '../live-queries/live-queries.ts';
import type { Subscription } from '../live-queries/subscription.ts';
import type { FunctionCall, QuerySetModification } from './client-message.ts';
import {
  encodeQueryModification,
  encodeQueryRemoved,
  resultFingerprint,
} from './query-modification.ts';
import { SessionError } from './session-error.ts';

/** The queries of one connection, and what their client has seen of them. */
export class QuerySet {
  readonly #live: LiveQueries;
  readonly #onStale: () => void;
  readonly #queries = new Map<number, SyncedQuery>();
  /** Those whose result may differ from what was sent; all others are as they were. */
  readonly #dirty = new Set<SyncedQuery>();
  /** Removed since the last transition. */
  readonly #removed = new Set<number>();

  /** `onStale` is called whenever a transition has something to say. */
  constructor(live: LiveQueries, onStale: () => void) {
    this.#live = live;
    this.#onStale = onStale;
  }

  /** Throws a fatal `SessionError` when the client contradicts itself. */
  apply(modifications: QuerySetModification[], caller: Caller): void {
    for (const modification of modifications) {
      if (modification.type === 'Add') this.#add(modification, caller);
      else this.#remove(modification.queryId);
    }
  }

  /** Results that do not depend on who is calling, or on what changed of it, stay. */
  changeCaller(caller: Caller): void {
    for (const query of this.#queries.values()) {
      const before = query.subscription;
      query.subscription = this.#subscribe(query, before.query.request.journal, caller);
      this.#live.unsubscribe(before);
      this.#dirty.add(query);
    }
  }

  /**
   * Brings all queries to one and the same snapshot, at `floor` or later, and resolves with
   * its timestamp and what the client must be told, encoded. Nearly always one round; when a
   * commit in between made others stale, they run again together with all that ran before,
   * so that the rounds come to an end.
   */
  async advance(floor: bigint): Promise<{ ts: bigint; modifications: string[] }> {
    const stale = this.#subscriptionsWhere((subscription) => subscription.isStale);
    if (stale.length > 0) await this.#live.refresh(stale);
    const together = new Set(stale);
    for (;;) {
      const ts = this.#latestRun(floor);
      const invalid = this.#subscriptionsWhere((subscription) => !subscription.validAt(ts));
      if (invalid.length === 0) return { ts, modifications: this.#takeChanges() };
      for (const subscription of invalid) together.add(subscription);
      await this.#live.rerunTogether(together);
    }
  }

  close(): void {
    for (const { subscription } of this.#queries.values()) this.#live.unsubscribe(subscription);
    this.#queries.clear();
    this.#dirty.clear();
  }

  #takeChanges(): string[] {
    const changes = Array.from(this.#removed, encodeQueryRemoved);
    this.#removed.clear();
    for (const query of Array.from(this.#dirty)) {
      const { run } = query.subscription;
      if (run === null) continue;
      const fingerprint = resultFingerprint(run.result);
      if (fingerprint !== query.sentFingerprint) {
        changes.push(encodeQueryModification(query.queryId, run.result));
        query.sentFingerprint = fingerprint;
      }
      this.#live.followJournal(query.subscription);
      if (!query.subscription.isStale) this.#dirty.delete(query);
    }
    return changes;
  }

  #add(added: QuerySetModification & { type: 'Add' }, caller: Caller): void {
    const { queryId, journal } = added;
    if (this.#queries.has(queryId)) {
      throw SessionError.fatal('DuplicateQueryId', `Query ${queryId} is in the query set already`);
    }
    const onStale = () => {
      this.#dirty.add(query);
      this.#onStale();
    };
    const subscription = this.#subscribe({ call: added, onStale }, journal, caller);
    const query: SyncedQuery = {
      queryId,
      call: added,
      onStale,
      subscription,
      sentFingerprint: null,
    };
    // A query that was removed since the last transition is told of by its new result alone.
    this.#removed.delete(queryId);
    this.#queries.set(queryId, query);
    this.#dirty.add(query);
  }

  #remove(queryId: number): void {
    const query = this.#queries.get(queryId);
    if (query === undefined) {
      throw SessionError.fatal('NonexistentQueryId', `Query ${queryId} is not in the query set`);
    }
    this.#live.unsubscribe(query.subscription);
    this.#queries.delete(queryId);
    this.#dirty.delete(query);
    this.#removed.add(queryId);
  }

  #subscribe(
    { call, onStale }: Pick<SyncedQuery, 'call' | 'onStale'>,
    journal: string | null,
    caller: Caller,
  ): Subscription {
    const { path, args } = call;
    const { identity, isAdmin } = caller;
    return this.#live.subscribe({ path, args, journal, identity, allowInternal: isAdmin }, onStale);
  }

  #latestRun(floor: bigint): bigint {
    let latest = floor;
    for (const { subscription } of this.#dirty) {
      const { run } = subscription;
      if (run !== null && run.ts > latest) latest = run.ts;
    }
    return latest;
  }

  #subscriptionsWhere(fits: (subscription: Subscription) => boolean): Subscription[] {
    return this.#dirty
      .values()
      .map(({ subscription }) => subscription)
      .filter(fits)
      .toArray();
  }
}

interface SyncedQuery {
  readonly queryId: number;
  readonly call: FunctionCall;
  readonly onStale: () => void;
  subscription: Subscription;
  /** Of what the client has; null before the first result. */
  sentFingerprint: string | null;
}
