import type { Commit, Executor, QueryRequest, ReadSet } from '../executor.ts';
import { CommitLog } from './commit-log.ts';
import { ReadIndex } from './read-index.ts';
import { identityKeyOf, memberKey, needsRun } from './shared-query.ts';
import type { QueryFamily, QueryRun, SharedQuery } from './shared-query.ts';
import { Subscription } from './subscription.ts';

/**
 * Every query that somebody is subscribed to. Equal queries share one run; a commit makes
 * exactly those stale that had read what it changed; nothing runs until a subscriber asks
 * for a fresh result, and then once for all who ask in the same moment.
 */
export class LiveQueries {
  readonly #executor: Executor;
  readonly #families = new Map<string, QueryFamily>();
  readonly #reads = new ReadIndex<SharedQuery>();
  readonly #log: CommitLog;
  readonly #stopListening: () => void;
  #ts: bigint;
  #batch: Batch | null = null;

  constructor(executor: Executor) {
    this.#executor = executor;
    this.#ts = executor.latestTs;
    this.#log = new CommitLog(this.#ts);
    this.#stopListening = executor.onCommit((commit) => this.#onCommit(commit));
  }

  /** The newest commit that is known here: every result that is not stale is valid at it. */
  get ts(): bigint {
    return this.#ts;
  }

  /**
   * `ts` was seen in an answer of the executor. All commits up to it should be known; when
   * one is not (an engine that crashed just after committing told nobody), it may have
   * changed anything, so everything is stale.
   */
  observe(ts: bigint): void {
    if (ts <= this.#ts) return;
    const unknownSince = this.#ts + 1n;
    this.#ts = ts;
    this.#log.forget(ts);
    for (const { members } of this.#families.values()) {
      for (const query of members.values()) {
        if (!needsRun(query)) this.#markStale(query, unknownSince);
      }
    }
  }

  /** Whether a result of the snapshot `at` might not be the result of the earlier `since`. */
  changedSince(readSet: ReadSet, since: bigint, at: bigint): boolean {
    const changed = this.#log.firstChange(readSet, since);
    return changed !== null && changed <= at;
  }

  subscribe(request: QueryRequest, onStale: () => void): Subscription {
    return new Subscription(
      this.#member(this.#family(request), request),
      request.identity,
      onStale,
    );
  }

  unsubscribe(subscription: Subscription): void {
    const { query } = subscription;
    query.subscriptions.delete(subscription);
    this.#dropIfUnused(query);
  }

  /** Runs those that are stale; joins runs that others have asked for. */
  async refresh(subscriptions: Iterable<Subscription>): Promise<void> {
    const batch = this.#openBatch();
    const runs = new Set<Promise<void>>();
    for (const { query } of subscriptions) {
      if (!needsRun(query)) continue;
      query.running ??= enqueue(batch, query);
      runs.add(query.running);
    }
    await Promise.all(runs);
  }

  /** Runs all of them at one snapshot, stale or not. */
  async rerunTogether(subscriptions: Iterable<Subscription>): Promise<void> {
    const queries = new Set<SharedQuery>();
    for (const { query } of subscriptions) queries.add(query);
    await this.#run([...queries]);
  }

  /**
   * Later runs continue with the journal of this one. Called after its result was used:
   * somebody who subscribes without a journal starts afresh.
   */
  followJournal(subscription: Subscription): void {
    const { request, run } = subscription.query;
    if (run === null || run.result.journal === request.journal) return;
    const { identity } = subscription;
    const next = { ...request, identity, journal: run.result.journal };
    const family = this.#family(next);
    // First: what this caller saw must not end up in a run that others share.
    if (run.result.identityObserved) this.#separateIdentities(family);
    const target = this.#member(family, next);
    this.#move(subscription, target);
    this.#accept(target, run);
  }

  /** How many executions are kept up to date. */
  get size(): number {
    return this.#families.values().reduce((sum, { members }) => sum + members.size, 0);
  }

  close(): void {
    this.#stopListening();
  }

  #onCommit(commit: Commit): void {
    // Not one result can be trusted, as after a commit that was missed.
    if (commit.newFunctions === true) {
      this.observe(commit.ts);
      return;
    }
    this.#log.add(commit);
    this.#ts = commit.ts;
    for (const query of this.#reads.readersOf(commit.writes)) this.#markStale(query, commit.ts);
  }

  #markStale(query: SharedQuery, ts: bigint): void {
    // What is stale already has nothing more to learn from later commits.
    if (query.run !== null) this.#reads.remove(query.run.result.readSet, query);
    query.staleSince = ts;
    for (const subscription of query.subscriptions) subscription.onStale();
  }

  /**
   * All that are asked for in one turn run as one batch, at one snapshot; a batch that has
   * become long starts at once, so that others need not wait for all of it.
   */
  #openBatch(): Batch {
    if (this.#batch !== null && this.#batch.queries.length < longBatch) return this.#batch;
    const batch: Batch = { queries: [], ...Promise.withResolvers<void>() };
    this.#batch = batch;
    queueMicrotask(() => {
      if (this.#batch === batch) this.#batch = null;
      if (batch.queries.length === 0) batch.resolve();
      else this.#run(batch.queries).then(batch.resolve, batch.reject);
    });
    return batch;
  }

  async #run(queries: SharedQuery[]): Promise<void> {
    const { ts, results } = await this.#executor.queries(queries.map(({ request }) => request));
    this.observe(ts);
    for (const [position, query] of queries.entries()) {
      const result = results[position];
      if (result === undefined) throw new Error('The executor left a query without an answer');
      this.#accept(query, { ts, result });
    }
  }

  #accept(query: SharedQuery, run: QueryRun): void {
    if (!isMember(query)) return;
    // Nothing that it reads has changed since: the run at hand says the same and is valid longer.
    if (!needsRun(query) || (query.run !== null && query.run.ts >= run.ts)) return;
    query.run = run;
    query.staleSince = null;
    this.#reads.add(run.result.readSet, query);
    if (run.result.identityObserved) this.#separateIdentities(query.family);
    const changed = this.#log.firstChange(run.result.readSet, run.ts);
    if (changed !== null) this.#markStale(query, changed);
  }

  /** A run asked who is calling: its result is its caller's alone, the others need their own. */
  #separateIdentities(family: QueryFamily): void {
    if (family.observesIdentity) return;
    family.observesIdentity = true;
    const shared = [...family.members.values()];
    family.members.clear();
    for (const query of shared) {
      family.members.set(query.identityKey, query);
      for (const subscription of query.subscriptions) {
        if (subscription.identityKey === query.identityKey) continue;
        const request = { ...query.request, identity: subscription.identity };
        this.#move(subscription, this.#member(family, request));
        subscription.onStale();
      }
    }
  }

  #family({ path, args, journal, allowInternal }: QueryRequest): QueryFamily {
    const key = JSON.stringify([path, args, journal, allowInternal === true]);
    let family = this.#families.get(key);
    if (family === undefined) {
      family = { key, observesIdentity: false, members: new Map() };
      this.#families.set(key, family);
    }
    return family;
  }

  #member(family: QueryFamily, request: QueryRequest): SharedQuery {
    const identityKey = identityKeyOf(request.identity);
    const key = memberKey(family, identityKey);
    let query = family.members.get(key);
    if (query === undefined) {
      query = newQuery(family, request, identityKey);
      family.members.set(key, query);
    }
    return query;
  }

  #move(subscription: Subscription, target: SharedQuery): void {
    const { query } = subscription;
    if (query === target) return;
    query.subscriptions.delete(subscription);
    target.subscriptions.add(subscription);
    subscription.query = target;
    this.#dropIfUnused(query);
  }

  #dropIfUnused(query: SharedQuery): void {
    if (query.subscriptions.size > 0) return;
    const { family } = query;
    if (isMember(query)) family.members.delete(memberKey(family, query.identityKey));
    if (family.members.size === 0) this.#families.delete(family.key);
    if (query.run !== null && query.staleSince === null) {
      this.#reads.remove(query.run.result.readSet, query);
    }
  }
}

interface Batch extends PromiseWithResolvers<void> {
  queries: SharedQuery[];
}

/** Queries in a batch from which on the next subscriber starts another one. */
const longBatch = 64;

function enqueue(batch: Batch, query: SharedQuery): Promise<void> {
  batch.queries.push(query);
  return batch.promise.finally(() => {
    query.running = null;
  });
}

function isMember(query: SharedQuery): boolean {
  return query.family.members.get(memberKey(query.family, query.identityKey)) === query;
}

function newQuery(family: QueryFamily, request: QueryRequest, identityKey: string): SharedQuery {
  return {
    family,
    request,
    identityKey,
    subscriptions: new Set(),
    run: null,
    staleSince: null,
    running: null,
  };
}
