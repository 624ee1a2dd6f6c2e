import { loadCursors } from '../actors/convex/load-cursors.ts';
import { RecentlySetAside } from '../actors/sessions/recently-set-aside.ts';
import { sessionActors } from '../actors/sessions/session-actors.ts';
import { WatchChoice, saveChoice } from '../actors/sessions/watch-choice.ts';
import { setHeapRoom } from '../heap-room.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { SYSTEM } from '../machines/protocol.ts';
import { sessionsWatch } from '../machines/sessions-watch.ts';
import type { Parts } from './parts.ts';

/** Watches the session files, and has them read. */
export function sessionsChild({ config, connection, identity }: Parts): ChildSpec {
  const choice = new WatchChoice(config.home);
  const setAside = new RecentlySetAside();
  return childSpec({
    id: SYSTEM.sessions,
    systemId: SYSTEM.sessions,
    logic: sessionsWatch.provide({
      actors: {
        ...sessionActors({
          setAside,
          backfillRoots: config.backfillRoots,
          loadCursors: () => loadCursors(connection, identity.machineId),
          onHistory: (isRead) => setHeapRoom(isRead ? 'forImport' : 'least'),
        }),
        saveChoice: saveChoice(choice),
      },
    }),
    input: () => ({
      root: config.sessionsRoot,
      enabled: config.convexSync && (choice.read() ?? true),
      now: Date.now,
      setAside: () => setAside.lines,
    }),
    restart: 'permanent',
    shutdown: 500,
  });
}
