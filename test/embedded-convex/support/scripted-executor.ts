/**
 * An executor whose answers come when the test says so: for races that a real one shows once
 * in a thousand runs. Queries read one key each (their path), and return its version.
 */
import type { Executor, QueryRequest, QueryResult } from '../../../src/embedded-convex/executor.ts';
import type { Commit, Identity } from '../../../src/embedded-convex/executor.ts';

export interface ScriptedExecutor extends Executor {
  /** The calls of `queries` that wait for an answer, by their paths. */
  readonly waiting: string[][];
  /** Every call of `queries` so far, by their paths. */
  readonly batches: string[][];
  /**
   * Answers the oldest waiting call as of now. Commits to `overtakenBy` become known after
   * the run, but before its result is taken over.
   */
  answer(options?: { overtakenBy: string }): Promise<void>;
  /** Changes what these queries read. */
  commit(...paths: string[]): bigint;
  /** The same, but nobody is told. */
  commitInSilence(...paths: string[]): void;
  /** Paths whose runs ask who is calling. */
  readonly observing: Set<string>;
  /** The journal that a run of this path ends with. */
  readonly journals: Map<string, string>;
}

export function scriptedExecutor(): ScriptedExecutor {
  const listeners = new Set<(commit: Commit) => void>();
  const calls: Array<{
    requests: QueryRequest[];
    resolve: (answer: { ts: bigint; results: QueryResult[] }) => void;
  }> = [];
  const batches: string[][] = [];
  const changedAt = new Map<string, bigint>();
  const observing = new Set<string>();
  const journals = new Map<string, string>();
  let ts = 100n;
  const run = ({ path, identity, journal }: QueryRequest): QueryResult => ({
    outcome: { ok: true, value: JSON.stringify(valueOf(path, identity)) },
    logLines: [],
    journal: journals.get(path) ?? journal,
    readSet: [{ index: 'keys', from: Buffer.from(path), to: Buffer.from(`${path}\0`) }],
    identityObserved: observing.has(path),
  });
  const valueOf = (path: string, identity: Identity) =>
    `${path}@${changedAt.get(path) ?? 0n}${observing.has(path) ? ` for ${identity?.tokenIdentifier}` : ''}`;
  const unused = () => Promise.reject(new Error('not scripted'));
  return {
    get latestTs() {
      return ts;
    },
    authProviders: [],
    queries: (requests) => {
      batches.push(requests.map(({ path }) => path));
      return new Promise((resolve) => calls.push({ requests, resolve }));
    },
    mutation: unused,
    action: unused,
    describe: unused,
    tableCounts: unused,
    copyDatabase: unused,
    reload: unused,
    onCommit: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => Promise.resolve(),
    get waiting() {
      return calls.map(({ requests }) => requests.map(({ path }) => path));
    },
    batches,
    observing,
    journals,
    async answer(options) {
      // What asks for queries does so in a microtask.
      await turn();
      const call = calls.shift();
      if (call === undefined) throw new Error('no call of queries is waiting');
      call.resolve({ ts, results: call.requests.map(run) });
      if (options !== undefined) this.commit(options.overtakenBy);
      await turn();
    },
    commitInSilence(...paths) {
      ts += 1n;
      for (const path of paths) changedAt.set(path, ts);
    },
    commit(...paths) {
      this.commitInSilence(...paths);
      const writes = paths.map((path) => ({ index: 'keys', key: Buffer.from(path) }));
      for (const listener of listeners) listener({ ts, writes });
      return ts;
    },
  };
}

/** All promises that can settle have, and `setImmediate` has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
