/**
 * One session file that is being read: opened so that nothing odd can be opened,
 * known again when it is replaced, and read in positional chunks.
 */
import { constants } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { BridgeError } from '../../errors.ts';
import type { FileFacts } from './session-files.ts';

/** Bytes. Large enough that reading is not what costs, small enough to hold for each file read at once. */
const CHUNK_LENGTH = 256 * 1_024;

/**
 * A link is not followed (it could lead out of the sessions), and a FIFO does not
 * block until somebody writes. Windows has neither flag.
 */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export class SessionFile {
  readonly handle: FileHandle;
  readonly #path: string;
  readonly #device: bigint;
  readonly #inode: bigint;

  private constructor(path: string, handle: FileHandle, { dev, ino }: FileFacts) {
    this.#path = path;
    this.handle = handle;
    this.#device = dev;
    this.#inode = ino;
  }

  /** Null when there is no regular file there; rejects with `session_unreadable`. */
  static async open(path: string): Promise<SessionFile | null> {
    const handle = await unlessMissing(open(path, OPEN_FLAGS), path);
    if (handle === null) return null;
    const facts = await handle.stat({ bigint: true });
    if (facts.isFile()) return new SessionFile(path, handle, facts);
    await handle.close();
    return null;
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

  async facts(): Promise<FileFacts> {
    return await this.handle.stat({ bigint: true });
  }

  /** The bytes from `position`, at most a chunk and not beyond `end`. */
  async read(position: number, end: number): Promise<Buffer> {
    const length = Math.max(0, Math.min(CHUNK_LENGTH, end - position));
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await this.handle.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** `ELOOP`: a link stands there now. `ENXIO`: a socket, or a FIFO. */
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']);

async function unlessMissing<T>(result: Promise<T>, path: string): Promise<T | null> {
  try {
    return await result;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    if (MISSING.has(code)) return null;
    throw new BridgeError('session_unreadable', `${path} (${code})`, { cause });
  }
}
