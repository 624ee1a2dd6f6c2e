/**
 * The turns of one session file: one `turn` item each, partial while it runs. A turn
 * whose process was killed never ends in the file; the next one ends it. Pure.
 */
import { errorContent, turnContent } from '../item-content.ts';
import type { TurnData } from '../item-data.ts';
import type { ThreadItem, TokenUsage } from '../thread-item.ts';
import { usageBetween } from '../token-usage.ts';
import type { HistoryPlace } from './rollout-state.ts';

interface OpenTurn {
  startedAt: number;
  place: HistoryPlace;
  /** The thread's total when it began. */
  usageBefore: TokenUsage | undefined;
  usage?: TokenUsage;
  /** Another thread's turn, which this file only repeats. */
  mirrored?: boolean;
}

export interface TurnEnd {
  status: 'completed' | 'failed' | 'interrupted';
  durationMs?: number | undefined;
  reason?: string | undefined;
  error?: string | undefined;
  startedAt?: number | undefined;
}

/** Ended turns that are remembered. */
const MAX_ENDED = 16;

export class TurnTracker {
  readonly #open = new Map<string, OpenTurn>();
  /** Those that ended last: they may end once more, when the next turn was not their end. */
  readonly #ended = new Map<string, OpenTurn>();
  /** The thread's total so far. */
  #usage: TokenUsage | undefined;

  started(turnId: string, ts: number, place: HistoryPlace): ThreadItem[] {
    if (this.#open.has(turnId)) return [];
    // It only seemed to have ended, and keeps the place of its beginning.
    const again = this.#ended.get(turnId);
    const items = this.#endOthers(turnId, 'interrupted');
    this.#open.set(turnId, again ?? { startedAt: ts, place, usageBefore: this.#usage });
    return [...items, turnItem(turnId, ts, { status: 'in_progress' }, true)];
  }

  /** A turn may end without a beginning (a review's), and others with it. */
  ended(turnId: string, ts: number, end: TurnEnd): ThreadItem[] {
    const turn = this.#known(turnId);
    if (turn) this.#close(turnId, turn);
    const { status, durationMs, reason, error } = end;
    const data: TurnData = { status };
    if (durationMs !== undefined) data.durationMs = durationMs;
    if (turn?.usage) data.usage = turn.usage;
    if (reason !== undefined) data.reason = reason;
    if (error !== undefined) data.error = error;
    const startedAt = turn?.startedAt ?? end.startedAt ?? ts;
    const item = { ...turnItem(turnId, startedAt, data), ...turn?.place };
    const items = [...this.#endOthers(turnId, status), item];
    if (error !== undefined) items.push(errorItem(turnId, ts, error));
    return items;
  }

  mirrored(turnId: string): void {
    const turn = this.#open.get(turnId);
    if (turn) turn.mirrored = true;
  }

  /** `total` is the thread's so far; `ofTurn` what the turn alone used, where the file says so. */
  used(total: TokenUsage | undefined, turnId: string | undefined, ofTurn?: TokenUsage): void {
    const turn = turnId === undefined ? undefined : this.#known(turnId);
    const usage = ofTurn ?? (total && usageBetween(turn?.usageBefore, total));
    if (turn && usage) turn.usage = usage;
    if (total) this.#usage = total;
  }

  #known(turnId: string): OpenTurn | undefined {
    return this.#open.get(turnId) ?? this.#ended.get(turnId);
  }

  #close(turnId: string, turn: OpenTurn): void {
    this.#open.delete(turnId);
    this.#ended.set(turnId, turn);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }

  #endOthers(turnId: string, status: TurnEnd['status']): ThreadItem[] {
    const ended = [...this.#open].filter(([id]) => id !== turnId);
    for (const [id, turn] of ended) this.#close(id, turn);
    return ended.map(([id, { startedAt, place, usage, mirrored }]) => {
      const data: TurnData = mirrored ? { status } : { status: 'interrupted' };
      if (!mirrored) data.reason = 'process_ended';
      if (usage) data.usage = usage;
      return { ...turnItem(id, startedAt, data), ...place };
    });
  }
}

function turnItem(turnId: string, ts: number, data: TurnData, partial = false): ThreadItem {
  const item: ThreadItem = { key: turnId, ...turnContent(data), ts, turnId };
  if (partial) item.partial = true;
  return item;
}

function errorItem(turnId: string, ts: number, message: string): ThreadItem {
  return { key: `${turnId}/error`, ...errorContent(message, { fatal: true }), ts, turnId };
}
