import { ConvexError } from 'convex/values';
import { BridgeError } from '../../errors.ts';

/**
 * What a failed call means. The official client sends a call again by itself
 * when the socket breaks or the backend is overloaded, so what it does report is
 * the function's own refusal, and asking again would end the same way.
 */
export function convexFailure(thrown: unknown): BridgeError {
  if (thrown instanceof BridgeError) return thrown;
  // Not the fault of what is written: it goes in once the backend takes our tokens again.
  const code = codeOf(thrown) === 'unauthenticated' ? 'convex_unavailable' : 'convex_rejected';
  return new BridgeError(code, reasonOf(thrown), { cause: thrown });
}

/** As `convex/refuse.ts` gives it. */
function codeOf(thrown: unknown): unknown {
  const data: unknown = thrown instanceof ConvexError ? thrown.data : null;
  return isRecord(data) ? data['code'] : undefined;
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof ConvexError) {
    const data: unknown = thrown.data;
    if (isRecord(data) && typeof data['message'] === 'string') return data['message'];
  }
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
