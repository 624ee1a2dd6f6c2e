import type { AuthProvider } from './auth/auth-config.ts';

/**
 * The seam between the two threads of the embedded backend. The server (main
 * thread) owns sockets and subscriptions; the engine (worker thread) owns the
 * database and runs functions. What crosses is structured-cloneable data, and
 * function values travel as Convex JSON text, so nothing is ever shared by reference.
 */
export interface Executor {
  /** The timestamp of the newest commit. Nanoseconds, never goes back. */
  readonly latestTs: bigint;
  /** Whose tokens are taken, by the functions that are served now. */
  readonly authProviders: readonly AuthProvider[];
  /** Runs every query against one and the same snapshot, `ts`. */
  queries(requests: QueryRequest[]): Promise<{ ts: bigint; results: QueryResult[] }>;
  /** Mutations run one at a time, in the order of the calls. */
  mutation(request: MutationRequest): Promise<MutationResult>;
  action(request: FunctionRequest): Promise<ActionResult>;
  /** For `/api/function` and `run`: what kind a function is, and whether it is public. */
  describe(path: string): Promise<{ kind: FunctionKind; visibility: 'public' | 'internal' } | null>;
  /** Rows per table, for status pages. */
  tableCounts(): Promise<Record<string, number>>;
  /** Copies the database, as it is at one moment, into a new file: whoever asks removes that. */
  copyDatabase(): Promise<string>;
  /**
   * Called in commit order, and for each commit before the mutation's own promise
   * resolves and before any query result of a later snapshot is delivered.
   */
  onCommit(listener: (commit: Commit) => void): () => void;
  /**
   * Takes over other functions and their schema, all at once: what runs ends as it began, what
   * comes later runs the new ones, and a commit with `newFunctions` says so. `code` is what
   * `bundleFunctions` made. Rejects with an `EngineError` when it cannot be used; then
   * everything stays as it was.
   */
  reload(code: string): Promise<void>;
  close(): Promise<void>;
}

export type FunctionKind = 'query' | 'mutation' | 'action';

/** The claims that `ctx.auth.getUserIdentity()` returns, or null. */
export type Identity = { tokenIdentifier: string; [claim: string]: unknown } | null;

export interface FunctionRequest {
  /** Canonical: `folder/module:export`. */
  path: string;
  /** JSON text of a one-element array with the Convex-encoded arguments object. */
  args: string;
  identity: Identity;
  /** Admin callers may also run internal functions. */
  allowInternal?: boolean;
}

export interface QueryRequest extends FunctionRequest {
  /** Of the last run of the same subscription: keeps the end of a page where it was. */
  journal: string | null;
}

export interface MutationRequest extends FunctionRequest {
  /** Present when the client announced itself: a resent request runs once. */
  request?: { sessionId: string; requestId: number };
}

/** `errorData` is present for a ConvexError only; both are Convex JSON text. */
export type FunctionOutcome =
  | { ok: true; value: string }
  | { ok: false; errorMessage: string; errorData?: string };

export interface QueryResult {
  outcome: FunctionOutcome;
  /** Each `[LEVEL] text`. */
  logLines: string[];
  journal: string | null;
  /** Kept for failed runs too: they are run again when what they read changes. */
  readSet: ReadSet;
  /** Whether the run asked who is calling: only then is its result the caller's own. */
  identityObserved: boolean;
}

export interface MutationResult {
  outcome: FunctionOutcome;
  logLines: string[];
  /** Of the commit that covers it; for a failed run, of the snapshot it saw. */
  ts: bigint;
  /** It had run when it was sent before; this is its answer of then. */
  repeated?: true;
}

export interface ActionResult {
  outcome: FunctionOutcome;
  logLines: string[];
}

/** The half-open intervals `[from, to)` of index keys that a run looked at. */
export type ReadSet = IndexInterval[];

export interface IndexInterval {
  /** `table.index`, e.g. `messages.by_id`; stable while the schema is. */
  index: string;
  from: Uint8Array;
  /** null: to the end of the index. */
  to: Uint8Array | null;
}

export interface Commit {
  ts: bigint;
  /** Old and new keys of every touched document, in every index of its table. */
  writes: { index: string; key: Uint8Array }[];
  /** The functions are others from here on: every result may be. */
  newFunctions?: true;
}
