import { randomUUID } from 'node:crypto';
import { backfillActors } from '../actors/backfill/backfill-actors.ts';
import { JobFile } from '../actors/backfill/job-file.ts';
import { backfill } from '../machines/backfill.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { SYSTEM } from '../machines/protocol.ts';
import type { Parts } from './parts.ts';

/** The import of old session files as a job. */
export function backfillChild({ config, inspection, log }: Parts): ChildSpec {
  const file = new JobFile(config.home);
  const places = { root: config.sessionsRoot, allowed: config.backfillRoots };
  return childSpec({
    id: SYSTEM.backfill,
    systemId: SYSTEM.backfill,
    logic: backfill.provide({ actors: backfillActors({ file, places }) }),
    input: () => ({
      job: file.read((message) => log.warn({ actor: SYSTEM.backfill }, message)),
      createId: inspection.drawn(randomUUID),
      now: Date.now,
    }),
    restart: 'permanent',
    // It has nothing in hand: its job is written down, and the files are the watcher's.
    shutdown: 'brutal_kill',
  });
}
