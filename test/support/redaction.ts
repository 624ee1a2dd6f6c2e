import { Redaction } from '../../src/actors/convex/redaction.ts';

/** As it is by default, without secrets of the bridge's own. */
export const redaction = new Redaction({ enabled: true, offIn: () => [], own: () => [] });
