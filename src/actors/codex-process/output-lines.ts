import type { Readable } from 'node:stream';
import { LineSplitter } from '../sessions/line-splitter.ts';

/**
 * Codex prints a command's whole output as one line; a longer one than this is left
 * out of the stream, and comes from the session file. Bounds the memory of a program
 * that prints without end.
 */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

export interface OutputLines {
  /** Takes an unfinished last line for what it is, and ends. */
  finish(): void;
}

/** `onLine` gets null for a line that was too long, with its length in bytes. */
export function outputLines(
  stream: Readable,
  onLine: (line: string | null, bytes: number) => void,
  maxLineBytes = MAX_LINE_BYTES,
): OutputLines {
  const splitter = new LineSplitter(0, maxLineBytes, () => ({ push() {}, end: () => null }));
  let emitted = 0;
  const push = (chunk: Buffer) => {
    for (const { content, length } of splitter.push(chunk)) {
      emitted += length;
      onLine(content === null ? null : withoutReturn(content.toString('utf8')), length - 1);
    }
  };
  stream.on('data', push);
  return {
    finish() {
      stream.off('data', push);
      if (splitter.position > emitted) push(Buffer.from('\n'));
    },
  };
}

/** Windows programs end their lines with two characters. */
function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
