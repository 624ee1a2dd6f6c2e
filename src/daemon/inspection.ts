import { homedir } from 'node:os';
import type { Redaction } from '../actors/convex/redaction.ts';
import { SECRET } from '../actors/context-summary.ts';
import { createInspectionFeed, type InspectionFeed } from '../actors/inspection/inspection-feed.ts';
import { journalStates } from '../actors/journal.ts';
import { createRegistry, type Registry } from '../actors/registry.ts';
import type { Log } from '../log.ts';
import { createValueRecorder } from '../recording/recorded-value.ts';

/** What sees all actors: the registry of how they are, and the stream of what they do. */
export function createInspection(
  log: Log,
  redaction: Redaction,
): { registry: Registry; inspection: InspectionFeed } {
  const inspection = createInspectionFeed(
    () => registry.entries(),
    () =>
      createValueRecorder({
        secret: SECRET,
        holdsSecret: (text) => redaction.always.text(text).count > 0,
        homeDirectory: homedir(),
      }),
  );
  const registry: Registry = createRegistry({ onState: journalStates(log), feed: inspection });
  return { registry, inspection };
}
