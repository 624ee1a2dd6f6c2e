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
  let folders: WatchedFolder[] = [];
  let watcher: FSWatcher | null = null;
  let isPolling = false;

  function start(): void {
    watcher = watch([], {
      ignoreInitial: true,
      // A hint that comes late is worth nothing; the reader copes with files in the making.
      atomic: false,
      ignored: (path) => !folders.some((folder) => isWithin(folder, path)),
      ...(isPolling && { usePolling: true, interval: POLL_INTERVAL }),
    });
    watcher.on('all', (event, path) => {
      const isFolder = event === 'addDir' || event === 'unlinkDir';
      if (isFolder || MIRRORED.test(basename(path))) send({ type: 'library.changed' });
    });
    watcher.on('error', (error) => {
      if (isPolling || !isExhausted(error)) return;
      isPolling = true;
      send({ type: 'library.degraded', reason: `the kernel watches no more (${error.code})` });
      void watcher?.close();
      start();
      follow(folders);
    });
  }

  function follow(next: WatchedFolder[]): void {
    const paths = (list: WatchedFolder[]) => list.map(({ folder }) => folder);
    const gone = paths(folders).filter((path) => !paths(next).includes(path));
    folders = next;
    if (gone.length > 0) watcher?.unwatch(gone);
    // One that is not there yet is tried again after each look.
    watcher?.add(paths(next).filter((path) => existsSync(path)));
  }

  start();
  receive((command) => follow(command.folders));
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
