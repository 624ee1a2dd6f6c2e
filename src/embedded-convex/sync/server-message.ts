import type { ActionResult, FunctionOutcome, MutationResult } from '../executor.ts';
import { encodeTimestamp } from '../timestamp.ts';

/**
 * What the server sends, as JSON text. Function values are Convex JSON text already and are
 * put in as they are: a large result is never parsed here, and encoded once for all.
 */
export interface StateVersion {
  querySet: number;
  identity: number;
  ts: bigint;
}

export interface Transition {
  start: StateVersion;
  end: StateVersion;
  /** Each encoded. */
  modifications: string[];
  /** The client's clock minus ours, ms; null when the client did not say its time. */
  clientClockSkew: number | null;
  /** ms since the epoch */
  sentAt: number;
}

export function encodeTransition(transition: Transition): string {
  const { start, end, modifications, clientClockSkew, sentAt } = transition;
  // Nanoseconds, of which JavaScript has the milliseconds. Clients want both fields or none.
  const clock =
    clientClockSkew === null
      ? ''
      : `,"clientClockSkew":${clientClockSkew},"serverTs":${BigInt(sentAt) * 1_000_000n}`;
  return `{"type":"Transition","startVersion":${encodeVersion(start)},"endVersion":${encodeVersion(end)},"modifications":[${modifications.join(',')}]${clock}}`;
}

export function encodeMutationResponse(requestId: number, answer: MutationResult): string {
  const ts = answer.outcome.ok ? `,"ts":"${encodeTimestamp(answer.ts)}"` : '';
  return `{"type":"MutationResponse","requestId":${requestId},${encodeAnswer(answer)}${ts}}`;
}

export function encodeActionResponse(requestId: number, answer: ActionResult): string {
  return `{"type":"ActionResponse","requestId":${requestId},${encodeAnswer(answer)}}`;
}

/** `baseVersion` is that of the last token that was taken; the client ignores older ones. */
export function encodeAuthError(error: string, baseVersion: number, attempted: boolean): string {
  return JSON.stringify({
    type: 'AuthError',
    error,
    baseVersion,
    authUpdateAttempted: attempted,
  });
}

export function encodeFatalError(error: string): string {
  return JSON.stringify({ type: 'FatalError', error });
}

export const pingMessage = '{"type":"Ping"}';

/** Absent for ordinary errors: clients take any presence for a ConvexError. */
export function encodeErrorData(outcome: FunctionOutcome): string {
  return outcome.ok || outcome.errorData === undefined ? '' : `,"errorData":${outcome.errorData}`;
}

function encodeAnswer({ outcome, logLines }: { outcome: FunctionOutcome; logLines: string[] }) {
  const result = outcome.ok ? outcome.value : JSON.stringify(outcome.errorMessage);
  return `"success":${outcome.ok},"result":${result},"logLines":${JSON.stringify(logLines)}${encodeErrorData(outcome)}`;
}

function encodeVersion({ querySet, identity, ts }: StateVersion): string {
  return `{"querySet":${querySet},"identity":${identity},"ts":"${encodeTimestamp(ts)}"}`;
}
