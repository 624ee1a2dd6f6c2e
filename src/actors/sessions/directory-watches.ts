/**
 * One `fs.watch` on each directory. A recursive watch would, on Linux, watch every
 * file too; this costs the same for ten thousand quiet files as for none.
 */
import { statSync, watch, type FSWatcher } from 'node:fs';

/** The directory, and the name in it that changed; null when the system does not say which. */
export type DirectoryChange = (directory: string, name: string | null, isRename: boolean) => void;

export class DirectoryWatches {
  readonly #watchers = new Map<string, { watcher: FSWatcher; identity: string }>();
  /** Directories that have to be polled. */
  readonly #unwatched = new Set<string>();
  readonly #onChange: DirectoryChange;
  readonly #watch: typeof watch;
  #problem: string | null = null;

  constructor(onChange: DirectoryChange, watchDirectory: typeof watch = watch) {
    this.#onChange = onChange;
    this.#watch = watchDirectory;
  }

  /** Why some directories are not watched; null when all are. */
  get degraded(): string | null {
    return this.#unwatched.size === 0 ? null : this.#problem;
  }

  get unwatched(): readonly string[] {
    return [...this.#unwatched];
  }

  /** List the directory after this: what is made in between is seen by one or the other. */
  add(directory: string): void {
    try {
      const identity = identityOf(directory);
      const present = this.#watchers.get(directory);
      if (present?.identity === identity) return;
      // Deleted and made again: the watch is on the one that is gone.
      if (present !== undefined) this.remove(directory);
      const watcher = this.#watch(directory, (event, name) =>
        this.#onChange(directory, name, event === 'rename'),
      );
      // Where a directory is deleted, some systems report an error; the next sweep settles it.
      watcher.on('error', (error) => this.#fail(directory, error));
      this.#watchers.set(directory, { watcher, identity });
      this.#unwatched.delete(directory);
    } catch (error) {
      this.#fail(directory, error);
    }
  }

  remove(directory: string): void {
    this.#watchers.get(directory)?.watcher.close();
    this.#watchers.delete(directory);
    this.#unwatched.delete(directory);
  }

  /** Drops those that a sweep has not met. */
  retain(directories: ReadonlySet<string>): void {
    for (const directory of [...this.#watchers.keys(), ...this.#unwatched]) {
      if (!directories.has(directory)) this.remove(directory);
    }
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#unwatched.clear();
  }

  #fail(directory: string, error: unknown): void {
    this.remove(directory);
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    // Gone already: nothing to watch, and nothing to poll.
    if (code === 'ENOENT' || code === 'ENOTDIR') return;
    this.#unwatched.add(directory);
    this.#problem = REASONS[code] ?? `directories cannot be watched (${code}) and are polled`;
  }
}

/** Inodes are reused at once, so the time of birth counts too. */
function identityOf(directory: string): string {
  const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

const REASONS: Partial<Record<string, string>> = {
  ENOSPC:
    'the limit of watches is reached, so directories are polled; raise fs.inotify.max_user_watches',
  EMFILE:
    'the limit of watching programs or open files is reached, so directories are polled; raise fs.inotify.max_user_instances or the limit of open files',
};
