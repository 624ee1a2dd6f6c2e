/** What the daemon and its parsing thread tell each other. */
import type { ParsedLines, ParserState } from './line-parser.ts';

/** `parser` is the number of one file's parser, given out once. */
export type ToParsingThread =
  | { type: 'open'; parser: number; path: string }
  | { type: 'push'; parser: number; chunk: Uint8Array<ArrayBuffer>; from: number }
  | { type: 'dropTorn'; parser: number }
  | { type: 'close'; parser: number };

/** The answers to `push`, in the order in which they were asked. */
export interface FromParsingThread {
  parser: number;
  /** A `Buffer` arrives as what it is made of. */
  parsed: Omit<ParsedLines, 'chunk'> & { chunk: Uint8Array };
  state: ParserState;
}
