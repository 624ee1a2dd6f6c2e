/** What the link to Convex keeps in mind, hears, and says about itself. */
import type { ErrorActorEvent } from 'xstate';
import type { ConvexStatusFrame } from '../control/frames.ts';
import { BridgeError, toBridgeError, type ErrorCode } from '../errors.ts';
import type {
  ControlRequestEvent,
  ConvexLinkEvent,
  ConvexStateQuery,
  GatewayCommand,
  ShutdownEvent,
} from './protocol.ts';

/** To the actor that runs the backend. `backend.stop` is always answered with `backend.stopped`. */
export type BackendCommand = { type: 'backend.start' } | { type: 'backend.stop' };

/** From it. After `backend.stop` only `backend.stopped` comes, until it is started again. */
export type BackendEvent =
  | { type: 'backend.ready'; url: string }
  /** It could not come up, or was up and ended. */
  | { type: 'backend.failed'; error: BridgeError }
  /** It serves, but something is wrong, as with a full disk. */
  | { type: 'backend.complained'; error: BridgeError }
  /** That is over. */
  | { type: 'backend.recovered'; code: ErrorCode }
  | { type: 'backend.stopped' };

/** From the actor that watches a backend that is online. */
export type HealthEvent =
  | { type: 'health.lost'; error: BridgeError }
  /** Rows per table, where the backend tells. */
  | { type: 'health.tables'; tables: Record<string, number> };

export type ConvexLinkOwnEvent =
  | BackendEvent
  | HealthEvent
  | ConvexStateQuery
  | ControlRequestEvent
  | ShutdownEvent
  /** Of a probe, a deployment or the health check. */
  | ErrorActorEvent;

export interface ConvexLinkInput {
  mode: ConvexStatusFrame['mode'];
  /** What is known of the address before the backend has said it. */
  url: string;
  /** Path of the database, of a backend that is ours. */
  db: string | null;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Uniform in [0, 1), for the jitter. */
  random: () => number;
}

export type ConvexLinkState =
  | 'starting.spawning'
  | 'starting.probing'
  | 'starting.deploying'
  | 'online'
  | 'backingOff'
  | 'failed'
  | 'stopping'
  | 'stopped';

export interface ConvexLinkContext extends ConvexLinkInput {
  state: ConvexLinkState;
  /** When that state was entered; milliseconds since the epoch. */
  since: number;
  /** Since it was last online for long enough. */
  failures: number;
  lastError: BridgeError | null;
  tables: Record<string, number> | null;
  /**
   * Whether those who wait for Convex were last told that it is online; null when what they
   * were told by an earlier link, if anything, is not known.
   */
  isAnnounced: boolean | null;
}

export function initialContext(input: ConvexLinkInput): ConvexLinkContext {
  return {
    ...input,
    state: 'starting.spawning',
    since: input.now(),
    failures: 0,
    lastError: null,
    tables: null,
    isAnnounced: null,
  };
}

export function statusOf(context: ConvexLinkContext): ConvexStatusFrame {
  const { mode, state, url, db, tables, since, lastError } = context;
  return {
    type: 'bridge.convex_status',
    mode,
    state,
    healthy: state === 'online',
    url,
    db,
    tables,
    since,
    lastError: lastError?.message ?? null,
  };
}

/** As those hear it who wait for Convex. */
export function linkEventOf(context: ConvexLinkContext): ConvexLinkEvent {
  const { state, lastError } = context;
  if (state === 'online') return { type: 'convex.online' };
  return { type: 'convex.offline', reason: lastError?.message ?? 'Convex is being started' };
}

export function answerTo(
  { requestId, request }: ControlRequestEvent,
  context: ConvexLinkContext,
): GatewayCommand {
  if (request.control === 'convex.status') {
    return { type: 'control.reply', requestId, frame: statusOf(context) };
  }
  const message = `"${request.control}" is not answered here.`;
  return { type: 'control.failed', requestId, error: { code: 'unknown_control', message } };
}

/** The error in an event; of a timer it is that the backend took too long. */
export function failureOf(event: ConvexLinkOwnEvent): BridgeError {
  if ('error' in event) return toBridgeError(event.error, 'convex_failed');
  return new BridgeError('convex_failed', 'it took too long to get ready');
}
