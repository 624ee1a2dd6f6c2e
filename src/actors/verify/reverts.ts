/** What Codex has taken back, as the files of a thread say it. Pure. */
import type { ThreadItem, ThreadPatch } from '../../codex/thread-item.ts';

export type Revert = NonNullable<ThreadPatch['reverts']>[number];

export function isReverted(
  { ordinal, ts }: Pick<ThreadItem, 'ordinal' | 'ts'>,
  reverts: readonly Revert[],
): boolean {
  return ordinal !== undefined && reverts.some((one) => ordinal >= one.ordinal && ts < one.at);
}
