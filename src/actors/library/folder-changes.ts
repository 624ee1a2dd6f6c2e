/** Says that something in the folders changed. Hints only: every look reads the files anew. */
import { existsSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import { fromCallback } from 'xstate';
import type {
  FolderChangesCommand,
  FolderChangesEvent,
  WatchedFolder,
} from '../../machines/library-events.ts';

/** Below a folder (or its inner one): the folder of a project or skill, and the files in it. */
const LEVELS = 2;
/** Milliseconds between two looks where the kernel watches no more. */
const POLL_INTERVAL = 1_000;
/** The names that matter; a skill's scripts and notes are not mirrored. */
const MIRRORED = /^(?:PROJECT|SKILL)\.md$|\.project\.md$/;

export const folderChanges = fromCallback<FolderChangesCommand>(({ sendBack, receive }) => {
  const send = (event: FolderChangesEvent) => sendBack(event);
  let watched: WatchedFolder[] = [];
  let watcher: FSWatcher | null = null;
  let isPolling = false;

  /** A new watcher for each set of folders: only a new one says when all of them are watched. */
  function start(folders: WatchedFolder[]): void {
    void watcher?.close();
    watched = folders;
    const current = watch(
      folders.map(({ folder }) => folder),
      {
        ignoreInitial: true,
        // A hint that comes late is worth nothing; the reader copes with files in the making.
        atomic: false,
        ignored: (path) => !folders.some((folder) => isWithin(folder, path)),
        ...(isPolling && { usePolling: true, interval: POLL_INTERVAL }),
      },
    );
    watcher = current;
    // What changed while the watches were being set was told by nobody.
    current.on('ready', () => send({ type: 'library.changed' }));
    current.on('all', (event, path) => {
      const isFolder = event === 'addDir' || event === 'unlinkDir';
      if (isFolder || MIRRORED.test(basename(path))) send({ type: 'library.changed' });
    });
    current.on('error', (error) => {
      if (isPolling || !isExhausted(error)) return;
      isPolling = true;
      send({ type: 'library.degraded', reason: `the kernel watches no more (${error.code})` });
      start(watched);
    });
  }

  receive(({ folders }) => {
    // One that is not there yet is tried again after each look.
    const there = folders.filter(({ folder }) => existsSync(folder));
    if (JSON.stringify(there) !== JSON.stringify(watched)) start(there);
  });
  return () => void watcher?.close();
});

function isWithin({ folder, inner }: WatchedFolder, path: string): boolean {
  if (path === folder) return true;
  const root = inner === undefined ? folder : join(folder, inner);
  if (path === root) return true;
  if (!path.startsWith(root + sep)) return false;
  return relative(root, path).split(sep).length <= LEVELS;
}

/** The limits on watches and on open files. */
function isExhausted(error: unknown): error is Error & { code: string } {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EMFILE';
}
