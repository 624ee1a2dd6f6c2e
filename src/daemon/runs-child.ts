import { homedir } from 'node:os';
import { join } from 'node:path';
import { runActors } from '../actors/run-actors.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { SYSTEM } from '../machines/protocol.ts';
import { runs } from '../machines/runs.ts';
import type { Parts } from './parts.ts';

/** The keeper of all runs of Codex. */
export function runsChild({ config, connection, identity, log, redaction }: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.runs,
    systemId: SYSTEM.runs,
    logic: runs.provide({
      actors: runActors({
        connection,
        machineId: identity.machineId,
        config,
        env: process.env,
        defaultDirectory: homedir(),
        ledgerFile: join(config.home, 'runs-ledger.json'),
        promptsFile: join(config.home, 'prompts.json'),
        redaction,
        log: (message, details) => log.info({ actor: SYSTEM.runs, ...details }, message),
      }),
    }),
    input: {
      machineId: identity.machineId,
      maxRuns: config.maxRuns,
      usualPolicy: { sandbox: config.sandbox, approvals: config.approvals },
      now: Date.now,
    },
    restart: 'permanent',
    shutdown: 4_000,
  });
}
