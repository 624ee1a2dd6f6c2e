/** Codex's folder of archived sessions: one flat folder beside that of the others. */
import { basename, dirname, join } from 'node:path';

const ARCHIVE = 'archived_sessions';
const SESSIONS = 'sessions';

/** The archive that belongs to a root of sessions; null when the root is not one of Codex's. */
export function archiveOf(root: string): string | null {
  return basename(root) === SESSIONS ? join(dirname(root), ARCHIVE) : null;
}

export function isArchived(path: string): boolean {
  return basename(dirname(path)) === ARCHIVE;
}
