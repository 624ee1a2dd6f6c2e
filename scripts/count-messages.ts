/** The independent count of `oa-bridge verify`, over the lines of one file. */
import { MessageCount, type MessageCounts } from '../src/actors/verify/message-count.ts';

/** `lines` of one file, of any generation. */
export function countMessages(lines: readonly string[]): MessageCounts {
  const count = new MessageCount();
  for (const line of lines) count.push(line);
  return count.counts;
}
