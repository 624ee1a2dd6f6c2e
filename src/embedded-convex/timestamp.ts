/** Timestamps travel as base64 of eight bytes, little-endian. */
export function encodeTimestamp(ts: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ts);
  return bytes.toString('base64');
}

/** null when the text is not one. */
export function decodeTimestamp(text: string): bigint | null {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== 8 || bytes.toString('base64') !== text) return null;
  return bytes.readBigUInt64LE();
}
