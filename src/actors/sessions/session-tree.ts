/**
 * The directories of session files: every change in them is told, however it is
 * noticed. Events of the file system are hints, because every watcher on Linux loses
 * some without a word when the event loop stalls; sweeps are the truth.
 */
import { statSync, type watch } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { BridgeError } from '../../errors.ts';
import { DirectoryWatches } from './directory-watches.ts';
import {
  isDirectory,
  isSuperseded,
  listDirectory,
  regularFile,
  type DirectoryListing,
} from './list-directory.ts';
import { archiveOf } from './archive.ts';
import { compressedOf, isCompressed, parseSessionFileName, plainOf } from './session-file-name.ts';
import type { SessionFiles } from './session-files.ts';

/** Levels below the root. Codex uses three: year, month, day. */
const MAX_DEPTH = 6;

export interface TreeListener {
  /** A file is new, or other than it was read; it is in `SessionFiles`. */
  changed(path: string): void;
  /** A file is not there any more, and not in `SessionFiles`. */
  gone(path: string): void;
  /** Everything was looked at. */
  swept(): void;
  /** Whether somebody holds the file open, and so will find out by itself what changed. */
  isFollowed(path: string): boolean;
}

export interface SessionTreeOptions {
  /** A link is followed here, and nowhere below. It need not be there yet. */
  root: string;
  files: SessionFiles;
  /** False: it is looked at only when asked, and no directory is watched. */
  follows?: boolean;
  /** Replaced in tests of what happens when the system refuses to watch. */
  watch?: typeof watch;
}

export class SessionTree {
  readonly #root: string;
  /** The root, and the archive beside it. */
  readonly #roots: readonly string[];
  readonly #files: SessionFiles;
  readonly #listener: TreeListener;
  readonly #watches: DirectoryWatches;
  readonly #follows: boolean;
  /** Directories that cannot be listed, and why. */
  readonly #unreadable = new Map<string, string>();
  #sweeping: Promise<void> | null = null;
  #sweepAgain = false;
  #rootsThere: readonly string[] = [];
  #isClosed = false;

  constructor(
    { root, files, follows = true, watch: watchDirectory }: SessionTreeOptions,
    listener: TreeListener,
  ) {
    this.#root = root;
    this.#follows = follows;
    this.#roots = [root, archiveOf(root)].filter((directory) => directory !== null);
    this.#files = files;
    this.#listener = listener;
    this.#watches = new DirectoryWatches(this.#onEvent, watchDirectory);
  }

  /** Why changes may be seen late, or not at all; null when everything is as it should be. */
  get degraded(): string | null {
    return this.#watches.degraded ?? this.#unreadable.values().next().value ?? null;
  }

  /**
   * Looks at everything. Only one sweep at a time; what asks for another meanwhile gets
   * it after this one. Rejects with `session_unreadable` when the root cannot be read.
   */
  async sweep(): Promise<void> {
    if (this.#sweeping !== null) {
      this.#sweepAgain = true;
      return await this.#sweeping;
    }
    this.#sweeping = this.#sweepUntilDone();
    try {
      await this.#sweeping;
    } finally {
      this.#sweeping = null;
    }
  }

  /** Whether the file would have been found if it were there. */
  covers(path: string): boolean {
    const isIn = (directory: string) => path.startsWith(directory + sep);
    return this.#rootsThere.some(isIn) && !this.#isHidden(path);
  }

  /** Lists the directories that cannot be watched. */
  async poll(): Promise<void> {
    for (const directory of this.#watches.unwatched) {
      const listing = await this.#list(directory);
      if (listing !== null) this.#see(listing);
    }
  }

  /** Looks whether the root, or its archive, came or went. */
  async lookAtRoot(): Promise<void> {
    const isAsBefore = (root: string) => isRoot(root) === this.#rootsThere.includes(root);
    if (!this.#roots.every(isAsBefore)) await this.sweep();
  }

  /** Looks at one file. `noticed`: something says that it changed, even if it looks as before. */
  lookAt(path: string, noticed: boolean): void {
    if (isSuperseded(path)) return this.lookAt(plainOf(path), false);
    const facts = regularFile(path);
    if (facts === null) {
      // What is unpacked is deleted only after it was compressed, which nobody looked at then.
      if (!isCompressed(path)) this.lookAt(compressedOf(path), noticed);
      return this.#forget(path);
    }
    const changed = this.#files.see(path, facts);
    if (noticed) this.#files.notice(path);
    if (changed || noticed) this.#listener.changed(path);
    if (!isCompressed(path)) this.#forget(compressedOf(path));
  }

  close(): void {
    this.#isClosed = true;
    this.#watches.close();
  }

  readonly #onEvent = (directory: string, name: string | null, isRename: boolean): void => {
    if (this.#isClosed) return;
    // No name: the queue of events overflowed, and some are lost.
    if (name === null) {
      void this.sweep().catch(() => {});
      return;
    }
    const path = join(directory, name);
    if (parseSessionFileName(name) === null) {
      if (isRename) this.#onOtherName(path);
    } else if (isRename || !this.#listener.isFollowed(path)) {
      this.lookAt(path, true);
    } else if (this.#files.notice(path)) {
      // The straight path of a live line: no look at the file here, its tail does that.
      this.#listener.changed(path);
    }
  };

  #onOtherName(path: string): void {
    // A directory that is deleted says so under its own name; what was in it, a sweep finds.
    if (isDirectory(path)) void this.#enter(path);
    else if (basename(path) === basename(dirname(path))) void this.sweep().catch(() => {});
    else this.#watches.remove(path);
  }

  /** A directory appeared, perhaps with others and their files in it already. */
  async #enter(directory: string): Promise<void> {
    if (this.#isClosed || this.#depth(directory) > MAX_DEPTH) return;
    this.#watches.add(directory);
    const listing = await this.#list(directory);
    if (listing === null || this.#isClosed) return;
    this.#see(listing);
    for (const inner of listing.directories) await this.#enter(inner);
  }

  async #sweepUntilDone(): Promise<void> {
    do {
      this.#sweepAgain = false;
      await this.#sweepOnce();
    } while (this.#sweepAgain && !this.#isClosed);
    if (!this.#isClosed) this.#listener.swept();
  }

  async #sweepOnce(): Promise<void> {
    this.#files.beginPass();
    this.#rootsThere = this.#roots.filter(isRoot);
    this.#unreadable.clear();
    const met = new Set<string>();
    // The last is taken first: the archive can wait.
    const next = this.#rootsThere.toReversed();
    for (let directory = next.pop(); directory !== undefined; directory = next.pop()) {
      if (this.#follows) this.#watches.add(directory);
      const listing = await this.#list(directory);
      if (this.#isClosed) return;
      met.add(directory);
      if (listing === null) continue;
      this.#see(listing);
      // The newest day is entered first: when watches run out, it has one.
      if (this.#depth(directory) < MAX_DEPTH) next.push(...listing.directories.sort());
    }
    this.#watches.retain(met);
    for (const path of this.#files.unseen()) if (!this.#isHidden(path)) this.#forget(path);
  }

  #see({ files }: DirectoryListing): void {
    const present = new Set(files.map(({ path }) => path));
    for (const { path, facts } of files) {
      if (isCompressed(path) && present.has(plainOf(path))) continue;
      if (this.#files.see(path, facts)) this.#listener.changed(path);
    }
  }

  #forget(path: string): void {
    if (!this.#files.has(path)) return;
    this.#files.remove(path);
    this.#listener.gone(path);
  }

  /** Null when it is not there, or cannot be read: then that is remembered. */
  async #list(directory: string): Promise<DirectoryListing | null> {
    try {
      return await listDirectory(directory);
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
      const problem = `the directory ${directory} cannot be read (${code})`;
      if (directory === this.#root) throw new BridgeError('session_unreadable', problem, { cause });
      this.#unreadable.set(directory, problem);
      return null;
    }
  }

  /** In a directory that cannot be read now: nobody knows whether the file is gone. */
  #isHidden(path: string): boolean {
    for (const directory of this.#unreadable.keys()) {
      if (path.startsWith(directory + sep)) return true;
    }
    return false;
  }

  /** Below the root; the archive, beside it, counts as one level. */
  #depth(directory: string): number {
    return relative(this.#root, directory).split(sep).length;
  }
}

/** One that may not be looked at counts: its listing says why nobody sees what is in it. */
function isRoot(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return true;
  }
}
