/** What the daemon and its parsing thread tell each other. */
import type { ParsedLines, ParserState } from './line-parser.ts';

/** `parser` is the number of one file's parser, given out once. */
export type ToParsingThread =
  | { type: 'open'; parser: number; path: string }
  | { type: 'push'; parser: number; chunk: Uint8Array; from: number }
  | { type: 'dropTorn'; parser: number }
  | { type: 'close'; parser: number };

/** The answers to `push`, in the order in which they were asked. */
export interface FromParsingThread {
  parser: number;
  parsed: ParsedLines;
  state: ParserState;
}
