/**
 * The catalogue of every error that the bridge can report. Each has a stable
 * code, says whether trying again can help, and tells the reader what to do.
 */
export class BridgeError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, detail: string, options?: { cause?: unknown }) {
    super(
      detail === '' ? catalogue[code].message : `${catalogue[code].message}: ${detail}`,
      options,
    );
    this.name = 'BridgeError';
    this.code = code;
    this.retryable = catalogue[code].retryable;
  }
}

/** `retryable` decides, here and nowhere else, whether the same call may succeed later. */
export const catalogue = {
  arguments_invalid: { retryable: false, message: 'The command cannot be run like this' },
  config_invalid: { retryable: false, message: 'The configuration is not valid' },
  home_locked: {
    retryable: false,
    message: 'Another oa-bridge already runs on this home; stop it first, or set OPENAGENTS_HOME',
  },
  home_unsafe: {
    retryable: false,
    message: 'The OpenAgents home is not private to you',
  },
  pairings_exhausted: {
    retryable: true,
    message: 'Too many devices are being paired at once; finish or end those first',
  },
  pairing_unreachable: {
    retryable: false,
    message: 'No other device can reach this bridge',
  },
  service_failed: { retryable: false, message: 'The service manager refused' },
  service_unsupported: {
    retryable: false,
    message: 'There is no service manager that the bridge knows on this system',
  },
  port_taken: {
    retryable: false,
    message: 'The address is already in use; stop the other program or choose another port',
  },
  convex_failed: { retryable: true, message: 'The Convex backend failed' },
  convex_unavailable: { retryable: true, message: 'Convex cannot be reached right now' },
  convex_corrupt: { retryable: false, message: 'The Convex database is damaged' },
  convex_set_aside: {
    retryable: false,
    message:
      'The Convex database was damaged; it was set aside, and a new one begun, which the bridge fills from the session files',
  },
  convex_disk_full: {
    retryable: true,
    message: 'The disk is full; Convex answers, but writes nothing until there is room',
  },
  convex_misconfigured: {
    retryable: false,
    message: 'The Convex backend cannot serve as it is set up',
  },
  convex_snapshot: { retryable: false, message: 'The data of Convex was not moved' },
  recording_invalid: { retryable: false, message: 'The recording cannot be replayed' },
  convex_rejected: { retryable: false, message: 'Convex refused the write' },
  codex_missing: {
    retryable: false,
    message: 'Codex was not found; install it with "npm install -g @openai/codex" or set CODEX_BIN',
  },
  codex_failed: { retryable: false, message: 'Codex ended with an error' },
  codex_without_turn: {
    retryable: false,
    message:
      'Codex ended without having begun its turn; see that CODEX_BIN names a Codex, 0.44 or later ("oa-bridge doctor")',
  },
  run_interrupted: { retryable: false, message: 'The run was interrupted' },
  run_timed_out: { retryable: false, message: 'The run was ended for taking too long' },
  run_taken: {
    retryable: false,
    message: 'The run is over already, or another machine has taken it',
  },
  run_begun: {
    retryable: false,
    message: 'The run has begun; what it was asked cannot be changed any more',
  },
  receipt_reused: { retryable: false, message: 'This id was used for another run' },
  session_conflict: {
    retryable: false,
    message: 'The session is open in another process; end that, or ask for "wait" or "fork"',
  },
  run_unknown: { retryable: false, message: 'No run has this id' },
  working_directory_missing: { retryable: false, message: 'The working directory does not exist' },
  working_directory_refused: {
    retryable: false,
    message: 'Runs may not work in this directory (OPENAGENTS_RUN_ROOTS says in which they may)',
  },
  project_invalid: { retryable: false, message: 'The project was not saved' },
  project_unknown: { retryable: false, message: 'No project has this id' },
  library_unreadable: {
    retryable: true,
    message: 'The folder of projects or skills cannot be read',
  },
  thread_unknown: { retryable: false, message: 'No thread has this id' },
  session_unreadable: { retryable: true, message: 'The session file cannot be read' },
  path_missing: { retryable: false, message: 'There is nothing at this path' },
  path_refused: { retryable: false, message: 'No session files may be read from this path' },
  line_unparsable: {
    retryable: false,
    message: 'The line cannot be understood and was kept aside',
  },
  bridge_unreachable: {
    retryable: true,
    message: 'No bridge answers; start it with "oa-bridge start"',
  },
  bridge_refused: { retryable: false, message: 'The bridge refused the connection' },
  restarts_exhausted: {
    retryable: true,
    message: 'A part failed too often to be started again',
  },
  shutdown: { retryable: true, message: 'The bridge is shutting down' },
  internal: { retryable: false, message: 'Something failed inside the bridge' },
} as const satisfies Record<string, { retryable: boolean; message: string }>;

export type ErrorCode = keyof typeof catalogue;

/** Any thrown value as a BridgeError, its origin kept as `cause`. */
export function toBridgeError(thrown: unknown, code: ErrorCode = 'internal'): BridgeError {
  if (thrown instanceof BridgeError) return thrown;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new BridgeError(code, detail, { cause: thrown });
}
