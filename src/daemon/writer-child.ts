import { committer } from '../actors/convex/committer.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { convexWriter } from '../machines/convex-writer.ts';
import { SYSTEM } from '../machines/protocol.ts';
import type { Parts } from './parts.ts';

/** Puts what others have to write into Convex. */
export function writerChild({ connection, identity, redaction }: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.writer,
    systemId: SYSTEM.writer,
    logic: convexWriter.provide({
      actors: {
        committer: committer({ connection, machineId: identity.machineId, redaction }),
      },
    }),
    input: { random: Math.random },
    restart: 'permanent',
    shutdown: 2_000,
  });
}
