import { createHash } from 'node:crypto';
import { FunctionError } from './function-error.ts';

/** A place in the result of a query: behind a key of its index, or at the end. */
export type CursorPosition = { after: Uint8Array } | 'end';

/**
 * Cursors hold index keys, not documents: the place stays when its document goes. They also
 * hold the fingerprint of their query, because in another query the place means nothing.
 */
export function encodeCursor(position: CursorPosition, fingerprint: Uint8Array): string {
  const isEnd = position === 'end';
  const bytes = Buffer.concat([
    Uint8Array.of(format, isEnd ? endMark : afterMark),
    fingerprint,
    isEnd ? new Uint8Array(0) : position.after,
  ]);
  return bytes.toString('base64url');
}

/** Throws the `InvalidCursor` that makes Convex's paginated hooks start again. */
export function decodeCursor(cursor: string, fingerprint: Uint8Array): CursorPosition {
  const bytes = Buffer.from(cursor, 'base64url');
  const mark = bytes[1];
  const isKnown = bytes[0] === format && (mark === endMark || mark === afterMark);
  if (!isKnown || bytes.length < headerBytes) throw invalidCursor('Failed to parse cursor');
  if (!bytes.subarray(2, headerBytes).equals(fingerprint)) {
    throw invalidCursor(
      'Tried to run a query starting from a cursor, but it looks like this cursor is from a different query.',
    );
  }
  return mark === endMark ? 'end' : { after: Uint8Array.from(bytes.subarray(headerBytes)) };
}

/** Of a query and the fields of its index. */
export function queryFingerprint(query: unknown, fields: readonly string[]): Uint8Array {
  const text = JSON.stringify([query, fields]);
  return createHash('sha256').update(text).digest().subarray(0, fingerprintBytes);
}

const format = 1;
const endMark = 0;
const afterMark = 1;
const fingerprintBytes = 16;
const headerBytes = 2 + fingerprintBytes;

function invalidCursor(detail: string): FunctionError {
  return new FunctionError('InvalidCursor', `InvalidCursor: ${detail}`, {
    data: { isConvexSystemError: true, paginationError: 'InvalidCursor' },
  });
}
