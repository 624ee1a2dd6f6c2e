import { z } from 'zod';
import { boundedItem } from '../bounded-item.ts';
import { errorContent, type ItemContent, turnContent } from '../item-content.ts';
import type { TurnData } from '../item-data.ts';
import { parseJson } from '../parse-json.ts';
import type { LineProblem } from '../rollout/rollout-reader.ts';
import { refusal } from '../rollout/line.ts';
import type { ThreadItem, TokenUsage } from '../thread-item.ts';
import { tokenCounts } from '../token-usage.ts';
import { execItems } from './exec-item.ts';

/** Reads what one `codex exec --json` prints, line by line. Pure but for the clock it is given. */
export interface ExecReader {
  push(line: string): ExecOutcome;
}

export interface ExecOutcome {
  /** Provisional, keyed `run/<runId>/<N>`; the same key comes again as the item goes on. */
  items: ThreadItem[];
  /** Codex's id of the session. */
  resumeId?: string;
  turn?: ExecTurn;
  /** A complaint: a connection that is tried again, or the reason why the turn will fail. */
  error?: string;
  /** Why the line was not understood. It says nothing about the run, which goes on. */
  problems: LineProblem[];
}

interface ExecTurn {
  status: 'completed' | 'failed';
  error?: string;
  /** Of the whole thread since 0.80, not of the turn. Zero for a review. */
  usage?: TokenUsage;
}

/** `now` is in milliseconds since the epoch: the stream has no times. */
export function createExecReader({ runId, now }: { runId: string; now: () => number }): ExecReader {
  const run = new ExecRun(runId, now);
  return { push: (line) => run.push(line) };
}

type Event = Record<string, unknown>;
const event = z.looseObject({ type: z.string() });
const threadStarted = z.object({ thread_id: z.string() });
const turnCompleted = z.object({ usage: tokenCounts.optional().catch(undefined) });
const turnFailed = z.object({ error: z.object({ message: z.string() }) });
const failure = z.object({ message: z.string() });
const itemEvent = z.object({
  item: z.looseObject({ id: z.string(), type: z.string() }),
});

/**
 * A web search has the key `id` twice, first Codex's own and then the provider's, and
 * `JSON.parse` keeps the last. The first is at the very beginning of the item.
 */
const FIRST_ID = /"item":\{"id":"(item_\d+)"/;

class ExecRun {
  readonly #runId: string;
  readonly #now: () => number;
  /** When each item was first seen: it keeps its place. */
  readonly #startedAt = new Map<string, number>();
  #turns = 0;
  #errors = 0;
  #lastError: ThreadItem | undefined;

  constructor(runId: string, now: () => number) {
    this.#runId = runId;
    this.#now = now;
  }

  push(line: string): ExecOutcome {
    try {
      return this.#read(event.parse(parseJson(line)), line);
    } catch (error) {
      return { items: [], problems: [problemOf(error)] };
    }
  }

  #read(parsed: Event & { type: string }, line: string): ExecOutcome {
    switch (parsed.type) {
      case 'thread.started':
        return { ...this.#said(), resumeId: threadStarted.parse(parsed).thread_id };
      case 'turn.started':
        return this.#said(this.#turn({ status: 'in_progress' }));
      case 'turn.completed':
        return this.#turnCompleted(turnCompleted.parse(parsed).usage);
      case 'turn.failed':
        return this.#turnFailed(turnFailed.parse(parsed).error.message);
      case 'error':
        return this.#complained(failure.parse(parsed).message);
      case 'item.started':
      case 'item.updated':
      case 'item.completed':
        return this.#itemEvent(parsed, line);
      default:
        return unknown(`event ${parsed.type}`);
    }
  }

  #said(...items: ThreadItem[]): ExecOutcome {
    return { items, problems: [] };
  }

  #turnCompleted(usage: TokenUsage | undefined): ExecOutcome {
    const said = this.#said(this.#turn({ status: 'completed' }));
    this.#turns += 1;
    return { ...said, turn: { status: 'completed', ...(usage ? { usage } : {}) } };
  }

  #turnFailed(error: string): ExecOutcome {
    const last = this.#lastError?.text === error ? this.#lastError : this.#newError(error);
    const fatal: ThreadItem = { ...last, ...errorContent(error, { fatal: true }) };
    const said = this.#said(this.#turn({ status: 'failed', error }), fatal);
    this.#turns += 1;
    return { ...said, turn: { status: 'failed', error } };
  }

  #complained(message: string): ExecOutcome {
    this.#lastError = this.#newError(message);
    return { ...this.#said(this.#lastError), error: message };
  }

  #newError(message: string): ThreadItem {
    const item = this.#item(`error/${this.#errors}`, errorContent(message, { fatal: false }));
    this.#errors += 1;
    return item;
  }

  #turn(data: TurnData): ThreadItem {
    const name = this.#turns === 0 ? 'turn' : `turn/${this.#turns}`;
    return this.#item(name, turnContent(data), data.status === 'in_progress');
  }

  #itemEvent(parsed: Event & { type: string }, line: string): ExecOutcome {
    const { item } = itemEvent.parse(parsed);
    const read = Object.hasOwn(execItems, item.type) ? execItems[item.type] : undefined;
    if (!read) return unknown(`item ${item.type}`);
    const ownId = FIRST_ID.exec(line)?.[1] ?? item.id;
    const goesOn = parsed.type !== 'item.completed';
    const content = read(item);
    const result = this.#item(ownId.replace(/^item_/, ''), content, goesOn);
    if (ownId !== item.id) result.itemId = item.id;
    const place = { path: '', offset: 0 };
    return this.#said(boundedItem(result, place));
  }

  #item(name: string, content: ItemContent, goesOn = false): ThreadItem {
    const key = `run/${this.#runId}/${name}`;
    const ts = this.#startedAt.get(key) ?? this.#now();
    this.#startedAt.set(key, ts);
    const item: ThreadItem = { key, ...content, ts, provisional: true, runId: this.#runId };
    if (goesOn) item.partial = true;
    return item;
  }
}

function unknown(what: string): ExecOutcome {
  const reason = `unknown ${what.slice(0, 100)}`;
  return { items: [], problems: [{ kind: 'unknown', reason }] };
}

function problemOf(error: unknown): LineProblem {
  if (error instanceof z.ZodError) return { kind: 'malformed', reason: refusal(error) };
  if (error instanceof SyntaxError) return { kind: 'malformed', reason: 'not JSON' };
  throw error;
}
