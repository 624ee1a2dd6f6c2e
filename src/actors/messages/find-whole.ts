/** From the id of a row to the whole item. */
import { basename } from 'node:path';
import type { ControlErrorCode } from '../../control/frames.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import { parseSessionFileName } from '../sessions/session-file-name.ts';
import type { WholeItemRequest, WholeItemResult } from './whole-item.ts';

export interface WholeMessage {
  messageId: string;
  threadId: string;
  /** The item. */
  json: string;
}

/** What Convex knows. */
export interface MessageLookup {
  /** Null when there is no such row, or the id is none. */
  message(messageId: string): Promise<StoredMessage | null>;
  thread(threadId: string): Promise<StoredThread>;
}

interface StoredThread {
  /** The session file that it was last read from. */
  rolloutPath?: string | undefined;
  /** Where it works, which may turn redaction off. */
  cwd?: string | undefined;
}

export interface StoredMessage {
  threadId: string;
  item: ThreadItem;
}

/** What a client is told instead. */
export class Refusal extends Error {
  readonly code: ControlErrorCode;

  constructor(code: ControlErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Throws a Refusal, or whatever the lookup or the reading throws. */
export async function findWhole(
  messageId: string,
  lookup: MessageLookup,
  read: (request: WholeItemRequest) => Promise<WholeItemResult>,
  redact: (item: ThreadItem, directory: string | undefined) => ThreadItem,
): Promise<WholeMessage> {
  const stored = await lookup.message(messageId);
  if (stored === null) throw new Refusal('not_found', `There is no message ${messageId}.`);
  const { threadId, item } = stored;
  const isWhole = item.truncated === undefined && !hasContent(item);
  if (isWhole) return { messageId, threadId, json: JSON.stringify(item) };
  const thread = await lookup.thread(threadId);
  const whole = await readWhole(item, pathsOf(stored, thread), read);
  // The row has no more secrets than this.
  return { messageId, threadId, json: JSON.stringify(redact(whole, thread.cwd)) };
}

async function readWhole(
  { key, truncated }: ThreadItem,
  paths: readonly string[],
  read: (request: WholeItemRequest) => Promise<WholeItemResult>,
): Promise<ThreadItem> {
  let isThere = false;
  for (const path of paths) {
    const offset = path === truncated?.path ? truncated.offset : undefined;
    const result = await read({ path, key, ...(offset === undefined ? {} : { offset }) });
    if ('found' in result) return result.found;
    if ('tooLong' in result) {
      const { offset: start, bytes } = result.tooLong;
      throw new Refusal(
        'too_large',
        `The line is too long to be sent (${bytes} bytes). It stands in ${path} at byte ${start}.`,
      );
    }
    if (result.missing === 'item') isThere = true;
  }
  if (isThere) {
    throw new Refusal(
      'conflict',
      `The session file has changed and does not hold this message any more (${paths.join(', ')}).`,
    );
  }
  throw new Refusal(
    'not_found',
    paths.length === 0
      ? 'This message was never seen in a session file.'
      : `The session file of this message is not on this machine any more (${paths.join(', ')}).`,
  );
}

/** Where the row says that it stands, and where its thread is now. */
function pathsOf({ item: { truncated } }: StoredMessage, { rolloutPath }: StoredThread): string[] {
  const paths = new Set([truncated?.path, rolloutPath].filter((path) => path !== undefined));
  // Rows may be anybody's who writes to that Convex: only session files are opened.
  return [...paths].filter((path) => parseSessionFileName(basename(path)) !== null);
}

/** Whether base64 content was replaced in it. */
function hasContent({ data }: ThreadItem): boolean {
  return data !== undefined && /\\?"sha256\\?":/.test(JSON.stringify(data));
}
