/**
 * The turns of one session file: one `turn` item each, partial while it runs. A turn
 * whose process was killed never ends in the file; the next one ends it. Pure.
 */
import { errorContent, turnContent } from '../item-content.ts';
import type { TurnData } from '../item-data.ts';
import type { ThreadItem, TokenUsage } from '../thread-item.ts';
import { usageBetween } from '../token-usage.ts';

interface OpenTurn {
  startedAt: number;
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

export class TurnTracker {
  readonly #open = new Map<string, OpenTurn>();
  /** The thread's total so far. */
  #usage: TokenUsage | undefined;

  started(turnId: string, ts: number): ThreadItem[] {
    if (this.#open.has(turnId)) return [];
    const items = this.#endOthers(turnId, 'interrupted');
    this.#open.set(turnId, { startedAt: ts, usageBefore: this.#usage });
    return [...items, turnItem(turnId, ts, { status: 'in_progress' }, true)];
  }

  /** A turn may end without a beginning (a review's), and others with it. */
  ended(turnId: string, ts: number, end: TurnEnd): ThreadItem[] {
    const turn = this.#open.get(turnId);
    this.#open.delete(turnId);
    const { status, durationMs, reason, error } = end;
    const data: TurnData = { status };
    if (durationMs !== undefined) data.durationMs = durationMs;
    if (turn?.usage) data.usage = turn.usage;
    if (reason !== undefined) data.reason = reason;
    if (error !== undefined) data.error = error;
    const startedAt = turn?.startedAt ?? end.startedAt ?? ts;
    const items = [...this.#endOthers(turnId, status), turnItem(turnId, startedAt, data)];
    if (error !== undefined) items.push(errorItem(turnId, ts, error));
    return items;
  }

  mirrored(turnId: string): void {
    const turn = this.#open.get(turnId);
    if (turn) turn.mirrored = true;
  }

  /** `total` is the thread's so far; `ofTurn` what the turn alone used, where the file says so. */
  used(total: TokenUsage | undefined, turnId: string | undefined, ofTurn?: TokenUsage): void {
    const turn = turnId === undefined ? undefined : this.#open.get(turnId);
    const usage = ofTurn ?? (total && usageBetween(turn?.usageBefore, total));
    if (turn && usage) turn.usage = usage;
    if (total) this.#usage = total;
  }

  #endOthers(turnId: string, status: TurnEnd['status']): ThreadItem[] {
    const ended = [...this.#open].filter(([id]) => id !== turnId);
    for (const [id] of ended) this.#open.delete(id);
    return ended.map(([id, { startedAt, usage, mirrored }]) => {
      const data: TurnData = mirrored ? { status } : { status: 'interrupted' };
      if (!mirrored) data.reason = 'process_ended';
      if (usage) data.usage = usage;
      return turnItem(id, startedAt, data);
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
