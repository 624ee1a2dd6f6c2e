import { createVerifier } from '../actors/verify/verifier.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { SYSTEM } from '../machines/protocol.ts';
import type { Parts } from './parts.ts';

/** Compares session files with what Convex holds. */
export function verifierChild({
  config,
  connection,
  identity,
  redaction,
  tokens,
}: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.verifier,
    systemId: SYSTEM.verifier,
    logic: createVerifier({
      root: config.sessionsRoot,
      machineId: identity.machineId,
      redaction,
      url: () => connection.url,
      token: async () => (await tokens.sign('bridge')).token,
    }),
    restart: 'permanent',
    shutdown: 'brutal_kill',
  });
}
