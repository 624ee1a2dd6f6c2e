/** A disk whose power may fail: what was synced is there, of the rest a part, and torn. */
import { writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { TracedCall } from './traced-writes.ts';

/** Bytes that a disk writes whole or not at all. */
const SECTOR = 512;

type Change = Extract<TracedCall, { op: 'write' | 'truncate' }>;

interface FileOnDisk {
  synced: Content;
  pending: Change[];
  /** What its folder says of it, on the disk and for those who use it. */
  isNamed: { onDisk: boolean; now: boolean };
}

export class Disk {
  readonly #files = new Map<string, FileOnDisk>();

  apply(call: TracedCall): void {
    if (call.op === 'tell') return;
    for (const [path, { isNamed }] of this.#files) {
      if (call.op === 'sync' && call.file === dirname(path)) isNamed.onDisk = isNamed.now;
    }
    const file = this.#files.get(call.file) ?? {
      synced: new Content(),
      pending: [],
      isNamed: { onDisk: false, now: true },
    };
    switch (call.op) {
      case 'remove':
        file.isNamed.now = false;
        return;
      case 'sync':
        for (const change of file.pending) file.synced.apply(change);
        file.pending = [];
        return;
      case 'write':
      case 'truncate':
        this.#files.set(call.file, file);
        file.pending.push(call);
    }
  }

  /**
   * The files as they are after the power failed now, in another folder. Each change that was not
   * synced is there if `survives` says so; of a write each sector by itself.
   */
  writeTo(folder: string, survives: () => boolean): void {
    for (const [path, { synced, pending, isNamed }] of this.#files) {
      const isThere = isNamed.onDisk === isNamed.now || !survives() ? isNamed.onDisk : isNamed.now;
      if (!isThere) continue;
      const left = synced.copy();
      const parts = pending.flatMap((change) =>
        change.op === 'write' ? sectorsOf(change) : [change],
      );
      for (const part of parts) if (survives()) left.apply(part);
      writeFileSync(join(folder, basename(path)), left.bytes);
    }
  }
}

/** Bytes that grow and shrink; what is new among them is zero. */
class Content {
  #buffer: Buffer;
  #size: number;

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#buffer = bytes;
    this.#size = bytes.length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  copy(): Content {
    return new Content(Buffer.from(this.bytes));
  }

  apply(change: Change): void {
    if (change.op === 'truncate') return this.#resize(change.size);
    const { offset, data } = change;
    this.#resize(Math.max(this.#size, offset + data.length));
    data.copy(this.#buffer, offset);
  }

  #resize(size: number): void {
    if (size > this.#buffer.length) {
      const larger = Buffer.alloc(2 * size);
      this.bytes.copy(larger);
      this.#buffer = larger;
    }
    if (size < this.#size) this.#buffer.fill(0, size, this.#size);
    this.#size = size;
  }
}

function sectorsOf({ file, offset, data }: Extract<Change, { op: 'write' }>): Change[] {
  const sectors: Change[] = [];
  for (let at = 0; at < data.length;) {
    const end = Math.min(data.length, at + SECTOR - ((offset + at) % SECTOR));
    sectors.push({ op: 'write', file, offset: offset + at, data: data.subarray(at, end) });
    at = end;
  }
  return sectors;
}
