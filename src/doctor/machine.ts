/** What the machine gives us: Node, room on the disk, watches. */
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

/** One that is too old runs nothing of ours (`src/cli.ts`). */
export function checkNode(): Finding {
  return ok('node', process.versions.node);
}

/** The database stops at a full disk, and a history of years takes some gigabytes. */
const LITTLE_BYTES = 1024 ** 3;
const NONE_BYTES = 64 * 1024 ** 2;

export function checkDisk({ home, convexDb, convexMode }: Config): Finding {
  let place = convexMode === 'remote' ? home : dirname(convexDb);
  while (!existsSync(place)) place = dirname(place);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const found = `${(free / 1024 ** 3).toFixed(1)} GiB free at ${place}`;
  const advice = 'make room, or put the database elsewhere with OPENAGENTS_CONVEX_DB';
  if (free < NONE_BYTES) return failed('disk', found, advice);
  return free < LITTLE_BYTES ? warning('disk', found, advice) : ok('disk', found);
}

/** Other programs of the user watch too. */
const SPARE_WATCHES = 1_000;

export function checkWatches({ sessionsRoot }: Config): Finding {
  if (process.platform !== 'linux') return ok('watches', 'no limit to mind on this system');
  const limit = Number(readFileSync('/proc/sys/fs/inotify/max_user_watches', 'utf8'));
  const instances = Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8'));
  const needed = directoriesIn(sessionsRoot) + 1;
  const found = `${needed} needed for sessions, ${limit} allowed (instances: ${instances})`;
  if (limit >= needed + SPARE_WATCHES) return ok('watches', found);
  const advice = `changes are seen later by polling; run: sudo sysctl fs.inotify.max_user_watches=${Math.max(65_536, 2 * needed)}`;
  return warning('watches', found, advice);
}

/** Year, month, day. */
function directoriesIn(root: string, depth = 3): number {
  if (depth === 0) return 0;
  try {
    const inside = readdirSync(root, { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    return inside.reduce(
      (sum, entry) => sum + 1 + directoriesIn(`${root}/${entry.name}`, depth - 1),
      0,
    );
  } catch {
    return 0;
  }
}
