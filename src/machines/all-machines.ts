import type { AnyStateMachine } from 'xstate';
import { backfill } from './backfill.ts';
import { clientConnection } from './client-connection.ts';
import { codexRun } from './codex-run.ts';
import { convexLink } from './convex-link.ts';
import { convexWriter } from './convex-writer.ts';
import { gateway } from './gateway.ts';
import { libraryWatch } from './library-watch.ts';
import { runs } from './runs.ts';
import { sessionsWatch } from './sessions-watch.ts';
import { supervisor } from './supervisor.ts';
import { tail } from './tail.ts';

/** Every machine of the bridge, as the docs tell of them and recordings are replayed with them. */
export const allMachines: readonly AnyStateMachine[] = [
  supervisor,
  convexLink,
  convexWriter,
  sessionsWatch,
  tail,
  backfill,
  libraryWatch,
  runs,
  codexRun,
  gateway,
  clientConnection,
];
