/** Tokens for Convex live an hour: a clock that is wrong by more makes them useless elsewhere. */
import type { Config } from '../config.ts';
import { ok, warning, type Finding } from './finding.ts';

/** Half of what a token lives, less what a network takes; ms. */
const MAX_DEVIATION_MS = 60_000;
const ASK_LIMIT_MS = 5_000;

export async function checkClock({ convexMode, convexUrl }: Config): Promise<Finding> {
  const own = new Date().toISOString();
  // The embedded backend has our own clock.
  if (convexMode !== 'remote' || convexUrl === undefined) return ok('clock', own);
  const answer = await fetch(convexUrl, {
    method: 'HEAD',
    signal: AbortSignal.timeout(ASK_LIMIT_MS),
  }).catch(() => undefined);
  const theirs = Date.parse(answer?.headers.get('date') ?? '');
  if (Number.isNaN(theirs)) return ok('clock', `${own}; ${convexUrl} does not tell its own`);
  const deviation = Date.now() - theirs;
  if (Math.abs(deviation) <= MAX_DEVIATION_MS) return ok('clock', `${own}, as that of Convex`);
  const found = `${Math.round(deviation / 1000)} s away from that of ${convexUrl}`;
  return warning('clock', found, 'let the system set its clock from the network');
}
