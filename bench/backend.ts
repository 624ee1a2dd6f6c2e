/** The embedded backend by itself; what is asked of it stands beside each figure. */
import { measureMutations } from './backend/mutations.ts';
import { measureSize } from './backend/size.ts';
import { measureSubscriptions } from './backend/subscriptions.ts';
import type { Figures } from './run.ts';

export async function measure(): Promise<Figures> {
  return {
    ...(await measureMutations()),
    ...(await measureSubscriptions()),
    ...(await measureSize()),
  };
}
