/** What the lines of one session file so far mean for the lines to come. */
import { createHash } from 'node:crypto';
import type { ItemContent } from '../item-content.ts';
import type { ThreadItem, ThreadPatch } from '../thread-item.ts';
import type { RolloutLine } from './line.ts';
import { Inheritance } from './inheritance.ts';
import { MessagePairs } from './message-pairs.ts';
import { OwnUsage } from './own-usage.ts';
import { RecentTexts } from './recent-texts.ts';
import { isSegmentPath, threadIdOfPath } from './session-meta.ts';
import { TurnTracker } from './turn-tracker.ts';
import { UserTurns } from './user-turns.ts';

/** Reads one line of its kind: emits items, or says why there are none. */
export type ReadLine = (context: LineContext) => string | undefined;

export interface LineContext {
  state: RolloutState;
  line: RolloutLine;
  /** Milliseconds since the epoch: the line's, else that of the line before. */
  ts: number;
  emit: (items: ThreadItem | readonly ThreadItem[]) => undefined;
  /** For items that are kept for a later line, which may be short: what is emitted is bounded anyway. */
  bound: (item: ThreadItem) => ThreadItem;
}

/** What counts the lines: see `ThreadItem`. */
export type HistoryPlace = Pick<ThreadItem, 'ordinal' | 'line'>;

/**
 * A further end that comes later than after so many others is taken for the first; of a further
 * output nobody knows the call then. Old files have no turns, at whose end this is forgotten.
 */
const MAX_ENDED = 1_000;

export class RolloutState {
  thread: ThreadPatch = { source: 'external' };
  threadChanged = false;
  /** The thread whose file this is: the id in its first session meta. */
  owner: string | undefined;
  turnId: string | undefined;
  lastTs = 0;
  /** Lines read, this one included. */
  lines = 0;
  /** Of the line that is read: its ordinal, or how many lines there are before it. */
  position = 0;
  readonly turns = new TurnTracker();
  readonly userTurns = new UserTurns();
  readonly pairs = new MessagePairs();
  /** Calls without an outcome, by `call_id`, as they were emitted. */
  readonly openCalls = new Map<string, ThreadItem>();
  /** Open calls that outlive their turn: commands in the background. */
  readonly background = new Set<string>();
  /** The texts of this turn's calls that have one, by `call_id`. */
  readonly closedCalls = new Map<string, string>();
  /** Ids of this turn's items that were emitted in full. */
  readonly shown = new Set<string>();
  /** Reasoning and searches displayed under another id than the model's copy of them. */
  readonly reasons = new RecentTexts();
  readonly searches = new RecentTexts();
  /** Reasoning whose copy came first. */
  readonly reasonCopies = new RecentTexts();
  /** The first real prompt was seen. */
  hasPrompt = false;
  hasUsageRecords = false;
  readonly usage = new OwnUsage();
  /** Lines are not wrapped (before 0.30): nothing is displayed twice. */
  isBare = false;
  readonly inheritance = new Inheritance();
  /** The file numbers its lines (0.148 and later): its items have ids of their own. */
  hasOrdinals = false;
  /** The payload that is being read, where it is only what is left of a longer one. */
  condensed: { payload: unknown; sha256: string } | undefined;
  readonly #occurrences = new Map<string, number>();
  /** Items that may end once more: a turn that was given up, a command whose output came first. */
  readonly #ended = new Map<string, { ts: number; place: HistoryPlace; ends: number }>();
  /** The thread has earlier files: this one was begun by a revert. */
  readonly isSegment: boolean;

  constructor(path: string) {
    this.isSegment = isSegmentPath(path);
    const resumeId = threadIdOfPath(path);
    if (resumeId !== undefined) this.thread.resumeId = resumeId;
  }

  patchThread(patch: Partial<ThreadPatch>): void {
    const before = this.thread;
    this.thread = { ...before, ...patch };
    // Every count of tokens comes by here, so only what the patch names is compared. Its type
    // has no other keys.
    for (const name of Object.keys(patch) as (keyof ThreadPatch)[]) {
      if (JSON.stringify(patch[name]) !== JSON.stringify(before[name])) this.threadChanged = true;
    }
  }

  /** The item as this line tells of it, at the time and place of the line that told of it first. */
  told(item: ThreadItem): ThreadItem {
    const isEnd = item.partial !== true && item.data?.['status'] !== 'in_progress';
    const before = this.#ended.get(item.key);
    if (before) {
      const { ts, place, ends } = before;
      Object.assign(item, { ts, ...place });
      if (isEnd) item.revision = ends;
    }
    this.placed(item);
    if (isEnd) this.#noteEnd(item);
    return item;
  }

  /** The item with its place in the history. */
  placed(item: ThreadItem): ThreadItem {
    const isPlaced = item.ordinal !== undefined || item.line !== undefined;
    return isPlaced ? item : Object.assign(item, this.placeOf(this.position));
  }

  placeOf(position: number): HistoryPlace {
    return this.hasOrdinals ? { ordinal: position } : { line: position };
  }

  /** The call has its outcome. */
  closeCall(callId: string, text = ''): void {
    keepLatest(this.closedCalls, callId, text);
  }

  #noteEnd(item: ThreadItem): void {
    const { key, ts, revision = 0 } = item;
    keepLatest(this.#ended, key, { ts, place: placeOfItem(item), ends: revision + 1 });
  }

  /** Forgets what only matters inside of one turn. */
  beginTurn(turnId: string): void {
    this.turnId = turnId;
    this.userTurns.turnBegins(this.position);
    this.shown.clear();
    this.closedCalls.clear();
  }

  /** Codex's own identity of an item: with its turn in files that number their lines. */
  keyIn(turnId: string | undefined, id: string): string {
    return this.hasOrdinals && turnId !== undefined ? `${turnId}/${id}` : id;
  }

  /**
   * The key of a line to which Codex gave no id: its content, and which repetition
   * of it this is, because identical lines are common and all of them real.
   */
  contentKey(type: string, payload: unknown): string {
    const hash =
      this.condensed && this.condensed.payload === payload
        ? this.condensed.sha256
        : createHash('sha256').update(JSON.stringify(payload)).digest('hex');
    const n = this.#occurrences.get(hash) ?? 0;
    this.#occurrences.set(hash, n + 1);
    return `${type}/${hash}/${n}`;
  }
}

function keepLatest<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_ENDED && oldest !== undefined) map.delete(oldest);
}

/** Where the item was told of first. */
export function placeOfItem({ ordinal, line }: ThreadItem): HistoryPlace {
  if (ordinal !== undefined) return { ordinal };
  return line === undefined ? {} : { line };
}

/** An item of a turn; its key holds the turn where Codex's own does. */
export function itemOf(
  key: string,
  content: ItemContent,
  { ts, turnId, itemId }: { ts: number; turnId?: string | undefined; itemId?: string | undefined },
): ThreadItem {
  const item: ThreadItem = { key, ...content, ts };
  if (turnId !== undefined) item.turnId = turnId;
  if (itemId !== undefined) item.itemId = itemId;
  return item;
}
