/**
 * One item as its session file has it: nothing cut, and base64 content with its data.
 * What a line means depends on the lines before it, so the file is read from its start.
 */
import { createRolloutReader } from '../../codex/rollout/create-rollout-reader.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import { LineSplitter, type SplitLine } from '../sessions/line-splitter.ts';
import { LongLine, type LongPart } from '../sessions/long-line.ts';
import { readLine } from '../sessions/read-line.ts';
import { SessionFile } from '../sessions/session-file.ts';
import { embeddedContent, withContent } from './embedded-content.ts';

/** Bytes. To hold one longer line costs several times as much memory. */
export const MAX_WHOLE_LINE = 64 * 1024 * 1024;

export interface WholeItemRequest {
  path: string;
  key: string;
  /** Where the line stood that was cut; lines behind it only complete the item. */
  offset?: number;
}

export type WholeItemResult =
  | { found: ThreadItem }
  /** There is no file, or the item is not in it any more. */
  | { missing: 'file' | 'item' }
  /** The line that holds it is too long to be held. */
  | { tooLong: { offset: number; bytes: number } };

/** Rejects with `session_unreadable`. */
export async function readWholeItem(request: WholeItemRequest): Promise<WholeItemResult> {
  const file = await SessionFile.open(request.path);
  if (file === null) return { missing: 'file' };
  try {
    const item = await findItem(file, request);
    if (item === null) return { missing: 'item' };
    const { truncated } = item;
    if (truncated) return { tooLong: { offset: truncated.offset, bytes: truncated.bytes } };
    return { found: await withItsContent(file, item) };
  } finally {
    await file.close();
  }
}

async function findItem(
  file: SessionFile,
  { path, key, offset = 0 }: WholeItemRequest,
): Promise<ThreadItem | null> {
  const reader = createRolloutReader({ path, whole: true });
  let latest: ThreadItem | null = null;
  for await (const line of linesOf(file)) {
    for (const item of readLine(reader, line, 0).items) if (item.key === key) latest = item;
    const isBehind = line.offset + line.length > offset;
    // Without an offset every line may still have more of it.
    if (latest !== null && offset > 0 && isBehind && latest.partial !== true) break;
  }
  return latest;
}

/** Content is looked for by its hash: it may stand in another line than its item. */
async function withItsContent(file: SessionFile, item: ThreadItem): Promise<ThreadItem> {
  const content = embeddedContent(item.data);
  if (content.size === 0) return item;
  for await (const { content: line } of linesOf(file)) {
    if (Buffer.isBuffer(line)) content.findIn(line);
    if (content.isComplete) break;
  }
  return withContent(item, content);
}

async function* linesOf(file: SessionFile): AsyncGenerator<SplitLine<LongPart[]>> {
  const splitter = new LineSplitter(0, MAX_WHOLE_LINE, (offset) => new LongLine(offset));
  for (;;) {
    const chunk = await file.read(splitter.position, Number.MAX_SAFE_INTEGER);
    if (chunk.length === 0) return;
    yield* splitter.push(chunk);
  }
}
