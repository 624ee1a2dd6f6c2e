/**
 * One session file that is being read: opened so that nothing odd can be opened,
 * known again when it is replaced, and read in positional chunks.
 */
import { constants } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { BridgeError } from '../../errors.ts';
import { takeChunk } from './chunk-memory.ts';
import { decompress } from './decompress.ts';
import { isCompressed } from './session-file-name.ts';
import type { FileFacts } from './session-files.ts';

/**
 * A link is not followed (it could lead out of the sessions), and a FIFO does not
 * block until somebody writes. Windows has neither flag.
 */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export class SessionFile {
  /** Of the lines; of a compressed file that is not the file itself. */
  readonly handle: FileHandle;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #device: bigint;
  readonly #inode: bigint;

  private constructor(path: string, file: FileHandle, lines: FileHandle, facts: FileFacts) {
    this.#path = path;
    this.#file = file;
    this.handle = lines;
    this.#device = facts.dev;
    this.#inode = facts.ino;
  }

  /** Null when there is no regular file there; rejects with `session_unreadable`. */
  static async open(path: string): Promise<SessionFile | null> {
    const file = await unlessMissing(open(path, OPEN_FLAGS), path);
    if (file === null) return null;
    try {
      const facts = await file.stat({ bigint: true });
      if (facts.isFile()) {
        const lines = isCompressed(path) ? await unlessDamaged(decompress(file), path) : file;
        return new SessionFile(path, file, lines, facts);
      }
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
    await file.close();
    return null;
  }

  get isCompressed(): boolean {
    return this.handle !== this.#file;
  }

  get device(): string {
    return String(this.#device);
  }

  get inode(): string {
    return String(this.#inode);
  }

  /** Whether the path still leads to this file. */
  async presence(): Promise<'same' | 'replaced' | 'deleted'> {
    const found = await unlessMissing(lstat(this.#path, { bigint: true }), this.#path);
    if (!found?.isFile()) return 'deleted';
    return found.dev === this.#device && found.ino === this.#inode ? 'same' : 'replaced';
  }

  /** How the file looks on disk. */
  async facts(): Promise<FileFacts> {
    return await this.#file.stat({ bigint: true });
  }

  /** Bytes of its lines, which of a compressed file are more than it has on disk. */
  async length({ size }: FileFacts): Promise<number> {
    return this.isCompressed ? (await this.handle.stat()).size : Number(size);
  }

  /** The bytes from `position`, at most a chunk (`giveBackChunk`) and not beyond `end`. */
  async read(position: number, end: number): Promise<Buffer> {
    const chunk = takeChunk();
    const length = Math.max(0, Math.min(chunk.length, end - position));
    const { bytesRead } = await this.handle.read(chunk, 0, length, position);
    return chunk.subarray(0, bytesRead);
  }

  async close(): Promise<void> {
    await this.#file.close();
    if (this.isCompressed) await this.handle.close();
  }
}

/** `ELOOP`: a link stands there now. `ENXIO`: a socket, or a FIFO. */
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']);

async function unlessMissing<T>(result: Promise<T>, path: string): Promise<T | null> {
  try {
    return await result;
  } catch (cause) {
    const code = codeOf(cause);
    if (MISSING.has(code)) return null;
    throw new BridgeError('session_unreadable', `${path} (${code})`, { cause });
  }
}

/** It may be in the middle of being written: the same call can succeed later. */
async function unlessDamaged<T>(result: Promise<T>, path: string): Promise<T> {
  try {
    return await result;
  } catch (cause) {
    const problem = `${path} cannot be decompressed (${codeOf(cause)})`;
    throw new BridgeError('session_unreadable', problem, { cause });
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
}
