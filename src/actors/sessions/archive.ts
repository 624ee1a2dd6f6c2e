/** Codex's folder of archived sessions: one flat folder beside that of the others. */
import { basename, dirname, join, sep } from 'node:path';
import { compressedOf, plainOf } from './session-file-name.ts';

const ARCHIVE = 'archived_sessions';
const SESSIONS = 'sessions';

/** The archive that belongs to a root of sessions; null when the root is not one of Codex's. */
export function archiveOf(root: string): string | null {
  return basename(root) === SESSIONS ? join(dirname(root), ARCHIVE) : null;
}

/** Where Codex may have put a session that is no longer here, compressed or not. */
export function otherPlacesOf(path: string): string[] {
  const name = basename(plainOf(path));
  const [, year, month, day] = /^rollout-(\d{4})-(\d\d)-(\d\d)T/.exec(name) ?? [];
  if (year === undefined || month === undefined || day === undefined) return [];
  const folder = dirname(path);
  const ofDay = join(SESSIONS, year, month, day);
  const home = [sep + ofDay, sep + ARCHIVE]
    .filter((end) => folder.endsWith(end))
    .map((end) => folder.slice(0, -end.length));
  return home
    .flatMap((home) => [join(home, ofDay, name), join(home, ARCHIVE, name)])
    .flatMap((place) => [place, compressedOf(place)])
    .filter((place) => place !== path);
}

export function isArchived(path: string): boolean {
  return basename(dirname(path)) === ARCHIVE;
}
