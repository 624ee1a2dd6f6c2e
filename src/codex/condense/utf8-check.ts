import { isUtf8 } from 'node:buffer';

/** Whether bytes that come in pieces are UTF-8; a character may be spread over two pieces. */
export class Utf8Check {
  /** The start of a character whose rest has not come. */
  #carry: Buffer = Buffer.alloc(0);

  accepts(piece: Buffer): boolean {
    const bytes = this.#carry.length === 0 ? piece : Buffer.concat([this.#carry, piece]);
    const end = bytes.length - unfinished(bytes);
    this.#carry = Buffer.from(bytes.subarray(end));
    return isUtf8(bytes.subarray(0, end));
  }

  get isWhole(): boolean {
    return this.#carry.length === 0;
  }
}

/** Bytes at the end that begin a character and do not complete it. */
export function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}
