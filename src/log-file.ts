/** The log on the disk, for `oa-bridge logs`: bounded, and private to its owner. */
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Days of a busy bridge. The file before it is kept, so at most twice as much is on the disk. */
const MAX_BYTES = 8 * 1024 * 1024;

export function logFilePath(home: string): string {
  return join(home, 'logs', 'bridge.log');
}

/** Under this name the file is kept that was full. */
export function olderLogFile(path: string): string {
  return `${path}.1`;
}

export class LogFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #descriptor: number | undefined;
  #size = 0;

  constructor(path: string, maxBytes = MAX_BYTES) {
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /** At once, so that the last words before an end are there. A disk that is full loses the line. */
  write(line: string): void {
    try {
      const bytes = Buffer.from(line);
      let descriptor = (this.#descriptor ??= this.#open());
      if (this.#size > 0 && this.#size + bytes.length > this.#maxBytes) {
        this.#close();
        renameSync(this.#path, olderLogFile(this.#path));
        descriptor = this.#descriptor = this.#open();
      }
      this.#size += writeSync(descriptor, bytes);
    } catch {
      // Standard error has the line; whoever reads it there knows more than we could do here.
      this.#close();
    }
  }

  #open(): number {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const descriptor = openSync(this.#path, 'a', 0o600);
    this.#size = statSync(this.#path).size;
    return descriptor;
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#size = 0;
  }
}
