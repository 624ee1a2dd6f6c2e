/** What Codex has taken back, as the files of a thread say it. Pure. */
import type { ThreadItem, ThreadPatch } from '../../codex/thread-item.ts';

export type Revert = NonNullable<ThreadPatch['reverts']>[number];

export function isReverted(
  { ordinal = -1, line = -1, ts }: Pick<ThreadItem, 'ordinal' | 'line' | 'ts'>,
  reverts: readonly Revert[],
): boolean {
  const never = Number.POSITIVE_INFINITY;
  return reverts.some(
    (one) => ts < one.at && (ordinal >= (one.ordinal ?? never) || line >= (one.line ?? never)),
  );
}
