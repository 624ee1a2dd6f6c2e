import type { TransactionLimits as TransactionLimitsOption } from 'convex/server';
import { defaultLimits, noLimits } from '../limits.ts';
import type { TransactionLimits } from '../limits.ts';

/** Of each transaction. false: none; true: Convex's own; an object replaces some of those. */
export type TestLimits = TransactionLimitsOption | boolean;

export function testLimits(option: TestLimits): TransactionLimits {
  if (option === false) return noLimits;
  const { scheduledFunctionArgsBytes: scheduledBytes, ...given } = option === true ? {} : option;
  const limits = { ...defaultLimits, ...given };
  return {
    ...limits,
    scheduledBytes: scheduledBytes ?? limits.scheduledBytes,
    // In convex-test every call counts.
    databaseCalls: limits.databaseQueries,
  };
}
