import type { MessagePort } from 'node:worker_threads';
import type { AuthProvider } from './auth/auth-config.ts';
import type {
  ActionResult,
  Executor,
  FunctionRequest,
  MutationRequest,
  QueryRequest,
} from './executor.ts';
import type { ExecutionLimits } from './executor-options.ts';
import type { PackedCommit } from './packed-commit.ts';
import type { JobsToRun } from './scheduled-jobs.ts';

/** How the engine's thread is started. */
export interface WorkerInput {
  databasePath: string;
  /** The bundle's text. */
  code: string;
  env: Record<string, string>;
  limits: ExecutionLimits;
  heartbeat: SharedArrayBuffer;
  port: MessagePort;
}

/** What the engine is asked, by the name of the executor's method. */
export type Call =
  | { method: 'queries'; requests: QueryRequest[]; givenUp: GivenUpQuery[] }
  | { method: 'mutation'; request: MutationRequest }
  | { method: 'action'; request: FunctionRequest }
  | { method: 'describe'; path: string }
  | { method: 'loadCode'; code: string }
  | { method: 'tableCounts' }
  | { method: 'copyDatabase' }
  | { method: 'dueJobs'; limit: number }
  | { method: 'runJob'; id: string }
  | { method: 'failJob'; id: string; error: string };

/** A query of a batch that is not run again, because it has ended the thread before. */
export interface GivenUpQuery {
  /** Its place in the batch. */
  part: number;
  /** What its caller is told. */
  reason: string;
}

export type Method = Call['method'];
export type Answer<Name extends Method = Method> = Awaited<
  ReturnType<(Executor & JobMethods & CodeMethods)[Name]>
>;

/** What only the runner of scheduled functions asks. */
interface JobMethods {
  dueJobs(): Promise<JobsToRun>;
  runJob(): Promise<ActionResult | null>;
  failJob(): Promise<void>;
}

/** Behind the executor's `reload`: answers what the main thread has to know of the new code. */
interface CodeMethods {
  loadCode(): Promise<AuthProvider[]>;
}

export type ToWorker = { ticket: number; call: Call } | 'close';

/** In the order in which it happened: a commit before the answer that it made possible. */
export type FromWorker =
  | { ready: { latestTs: bigint; authProviders: AuthProvider[] } }
  | { commit: PackedCommit }
  | { ticket: number; answer: Answer }
  | { ticket: number; error: SerialisedError }
  | { failed: SerialisedError };

/** An `EngineError` on its way between threads, where classes get lost. */
export interface SerialisedError {
  code: string;
  message: string;
}
