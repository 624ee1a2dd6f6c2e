import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bundleWithInputs } from './runtime/bundle.ts';

export interface FunctionsWatchOptions {
  folder: string;
  /** What is served already. */
  code: string;
  /** Takes over a new version. Rejects when it cannot be used. */
  load: (code: string) => Promise<void>;
  onLoaded: () => void;
  /** A version does not compile or was refused; the one before goes on. Once for each version. */
  onRefused: (error: unknown) => void;
}

/** Follows a functions folder, and what its files import from beside it, until `close`. */
export class FunctionsWatch {
  readonly #options: FunctionsWatchOptions;
  readonly #folders = new Map<string, WatchedFolder>();
  /** The version that was tried last: its code, or why there was none. */
  #tried: string;
  #settling: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: FunctionsWatchOptions) {
    this.#options = options;
    this.#tried = options.code;
    // What changed since `code` was made is noticed by this first look.
    this.#look();
  }

  /** Resolves when nothing of it is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#settling);
    for (const { watcher } of this.#folders.values()) watcher.close();
    await this.#running;
  }

  #changed(): void {
    if (this.#closed) return;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#look(), settleMs);
  }

  #look(): void {
    this.#running = this.#running.then(() => (this.#closed ? undefined : this.#try()));
  }

  async #try(): Promise<void> {
    const { folder, load, onLoaded, onRefused } = this.#options;
    try {
      // Before they are read: a change after that is noticed.
      await this.#follow(await foldersBelow(folder));
      const { code, inputs } = await bundleWithInputs(folder);
      const isNew = await this.#follow(inputs.map((input) => dirname(input)));
      if (isNew) this.#changed();
      if (code === this.#tried) return;
      this.#tried = code;
      await load(code);
      onLoaded();
    } catch (error) {
      if (this.#isRepeated(error)) return;
      onRefused(error);
    }
  }

  /** Saving a file anew changes nothing about what is wrong with it. */
  #isRepeated(error: unknown): boolean {
    const reason = String(error);
    if (this.#tried === reason) return true;
    this.#tried = reason;
    return false;
  }

  /** Resolves to whether one of them was not watched before. */
  async #follow(folders: Iterable<string>): Promise<boolean> {
    let isNew = false;
    for (const folder of new Set(folders)) {
      const { ino } = await stat(folder);
      const known = this.#folders.get(folder);
      // Another folder may have taken the place of one that was removed.
      if (known?.ino === ino) continue;
      known?.watcher.close();
      if (this.#closed) return false;
      const watcher = watch(folder, () => this.#changed());
      watcher.on('error', () => {
        watcher.close();
        this.#folders.delete(folder);
        this.#changed();
      });
      this.#folders.set(folder, { watcher, ino });
      isNew = true;
    }
    return isNew;
  }
}

interface WatchedFolder {
  watcher: FSWatcher;
  ino: number;
}

/** Editors write a file in several steps, and tools many files in one go. */
const settleMs = 50;

async function foldersBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map((entry) => foldersBelow(join(folder, entry.name)));
  return [folder, ...(await Promise.all(below)).flat()];
}
