import { z } from 'zod';
import { boundedItem } from '../bounded-item.ts';
import {
  errorContent,
  interrupted,
  type ItemContent,
  todoContent,
  turnContent,
} from '../item-content.ts';
import type { FileChange, TodoEntry, TurnData } from '../item-data.ts';
import { refusal } from '../rollout/line.ts';
import type { LineProblem } from '../rollout/rollout-reader.ts';
import type { ThreadItem, TokenUsage } from '../thread-item.ts';
import { usageBetween } from '../token-usage.ts';
import { appServerItem, type AppServerItem, appServerItems, changesIn } from './app-server-item.ts';
import { GrowingItem, type StreamedPiece } from './growing-item.ts';

/** Reads the notifications of one thread, one by one. Pure but for the clock it is given. */
export interface AppServerReader {
  push(method: string, params: unknown): AppServerOutcome;
  /** What was begun and will not be ended any more, as it stands. */
  abandon(): ThreadItem[];
  /** Of a change of files that was begun. */
  changesOf(itemId: string): FileChange[] | undefined;
}

interface AppServerOutcome {
  items: ThreadItem[];
  /** How far an item has come that is still being written. */
  pieces: StreamedPiece[];
  /** A turn that began, and one that ended. */
  turnStarted?: string;
  turnEnded?: AppServerTurn;
  /** A complaint: a request that is tried again, or the reason why the turn will fail. */
  error?: string;
  problems: LineProblem[];
}

export interface AppServerTurn {
  turnId: string;
  status: 'completed' | 'failed' | 'interrupted';
  error?: string;
  /** Of the whole thread. */
  usage?: TokenUsage;
}

export interface AppServerReaderOptions {
  runId: string;
  /** Codex's id of the thread; what is told of others (sub-agents) is in their own files. */
  threadId: string;
  /**
   * Whether the thread's file has the stream's ids ("paginated", 0.148 and later). The
   * items of an older file are matched by what they say, so that their rows cannot grow.
   */
  sharesIds: boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
}

export function createAppServerReader(options: AppServerReaderOptions): AppServerReader {
  return new NotificationReader(options);
}

class NotificationReader implements AppServerReader {
  readonly #options: AppServerReaderOptions;
  readonly #growing = new Map<string, GrowingItem>();
  /** By the item, while it is open. */
  readonly #changes = new Map<string, FileChange[]>();
  readonly #openTurns = new Map<string, ThreadItem>();
  #seq = 0;
  #todos = 0;
  #errors = 0;
  #usage: TokenUsage | undefined;
  #usageBefore: TokenUsage | undefined;

  constructor(options: AppServerReaderOptions) {
    this.#options = options;
  }

  push(method: string, params: unknown): AppServerOutcome {
    try {
      const { threadId } = addressed.parse(params);
      const isOurs = threadId === this.#options.threadId;
      return (isOurs && this.#read(method, params)) || said();
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error;
      return { ...said(), problems: [{ kind: 'malformed', reason: refusal(error) }] };
    }
  }

  changesOf(itemId: string): FileChange[] | undefined {
    return this.#changes.get(itemId);
  }

  abandon(): ThreadItem[] {
    const items = [...this.#growing.values()].flatMap((growing) => growing.soFar() ?? []);
    const open = [...items, ...this.#openTurns.values()];
    this.#growing.clear();
    this.#changes.clear();
    this.#openTurns.clear();
    return open.map(interrupted);
  }

  /** Undefined for what says nothing that a row would show. New kinds appear monthly. */
  #read(method: string, params: unknown): AppServerOutcome | undefined {
    switch (method) {
      case 'turn/started':
        return this.#turnStarted(turnEvent.parse(params).turn);
      case 'turn/completed':
        return this.#turnEnded(turnEvent.parse(params).turn);
      case 'thread/tokenUsage/updated':
        this.#noteUsage(usageUpdate.parse(params).tokenUsage);
        return undefined;
      case 'item/started':
        return this.#started(itemEvent.parse(params));
      case 'item/completed':
        return this.#completed(itemEvent.parse(params));
      case 'item/agentMessage/delta':
      case 'item/plan/delta':
      case 'item/reasoning/summaryTextDelta':
      case 'item/reasoning/textDelta':
      case 'item/commandExecution/outputDelta':
        return this.#grown(method, deltaEvent.parse(params));
      case 'turn/plan/updated':
        return this.#planned(planUpdate.parse(params));
      case 'error':
        return this.#complained(errorEvent.parse(params));
      case 'warning':
        return said(this.#error(warning.parse(params).message));
      default:
        return undefined;
    }
  }

  #turnStarted({ id }: z.infer<typeof turn>): AppServerOutcome {
    const item = this.#turnItem(id, { status: 'in_progress' });
    this.#openTurns.set(id, item);
    return { ...said(item), turnStarted: id };
  }

  #turnEnded({ id, status, error, durationMs }: z.infer<typeof turn>): AppServerOutcome {
    const data: TurnData = { status: status === 'inProgress' ? 'completed' : status };
    if (durationMs != null) data.durationMs = durationMs;
    if (this.#usage) data.usage = usageBetween(this.#usageBefore, this.#usage);
    if (data.status === 'interrupted') data.reason = 'interrupted';
    if (error != null) data.error = error.message;
    const items = [this.#turnItem(id, data)];
    if (error != null && data.status === 'failed') items.push(this.#fatal(id, error.message));
    this.#openTurns.delete(id);
    const turnEnded: AppServerTurn = {
      turnId: id,
      status: data.status === 'in_progress' ? 'completed' : data.status,
      ...(error == null ? {} : { error: error.message }),
      ...(this.#usage && { usage: this.#usage }),
    };
    // The turn takes with it what it had begun: an interrupted message never ends.
    return { ...said(...this.abandon(), ...items), turnEnded };
  }

  #noteUsage({ total, last }: z.infer<typeof usageUpdate>['tokenUsage']): void {
    this.#usageBefore ??= usageBetween(last, total);
    this.#usage = total;
  }

  #started({ item, turnId }: z.infer<typeof itemEvent>): AppServerOutcome | undefined {
    const begun = this.#itemOf(item, turnId);
    if (begun === undefined || item.type === 'userMessage') return undefined;
    const partial = { ...begun, partial: true };
    if (item.type === 'fileChange') this.#changes.set(item.id, changesIn(item));
    const growing = new GrowingItem(partial);
    this.#growing.set(item.id, growing);
    // A message is shown from its first word on, work as soon as it begins.
    return growing.isSpoken ? undefined : said(...bounded(partial));
  }

  #completed({ item, turnId }: z.infer<typeof itemEvent>): AppServerOutcome | undefined {
    this.#growing.delete(item.id);
    this.#changes.delete(item.id);
    const ended = this.#itemOf(item, turnId);
    if (ended === undefined) return undefined;
    if (item.type !== 'userMessage') return said(...bounded(ended));
    // In an older file the prompt is found by being the first.
    if (!this.#options.sharesIds) return undefined;
    const { runId } = this.#options;
    const isPrompt = item.clientId === runId;
    return said(...bounded(isPrompt ? { ...ended, claims: `run/${runId}/prompt` } : ended));
  }

  #grown(
    method: string,
    { itemId, delta, summaryIndex, contentIndex }: z.infer<typeof deltaEvent>,
  ): AppServerOutcome | undefined {
    const growing = this.#growing.get(itemId);
    if (!growing) return undefined;
    const part = summaryIndex ?? contentIndex ?? 0;
    const grown =
      method === 'item/reasoning/textDelta'
        ? growing.addRaw(part, delta)
        : growing.add(part, delta);
    if (!grown || !this.#options.sharesIds) return undefined;
    this.#seq += 1;
    return { ...said(), pieces: [{ item: grown, seq: this.#seq }] };
  }

  #planned({ explanation, plan, turnId }: z.infer<typeof planUpdate>): AppServerOutcome {
    const items = plan.map(({ step, status }): TodoEntry => ({
      text: step,
      status: status === 'inProgress' ? 'in_progress' : status,
    }));
    const content = todoContent({
      items,
      ...(explanation == null ? {} : { explanation }),
      status: 'completed',
    });
    // Codex does not say which call it was: the file's plans are matched by their order.
    const item = this.#item(`run/${this.#options.runId}/todo/${this.#todos}`, content, { turnId });
    this.#todos += 1;
    return said(...bounded(item));
  }

  #complained({ error, willRetry }: z.infer<typeof errorEvent>): AppServerOutcome {
    // One that ends the turn comes once more with its end.
    const shown = willRetry ? [this.#error(error.message)] : [];
    return { ...said(...shown), error: error.message };
  }

  #error(message: string): ThreadItem {
    const key = `run/${this.#options.runId}/error/${this.#errors}`;
    this.#errors += 1;
    return this.#item(key, errorContent(message, { fatal: false }));
  }

  #fatal(turnId: string, message: string): ThreadItem {
    const content = errorContent(message, { fatal: true });
    if (!this.#options.sharesIds) return { ...this.#error(message), ...content };
    return this.#item(`${turnId}/error`, content, { turnId });
  }

  #turnItem(id: string, data: TurnData): ThreadItem {
    const { runId, sharesIds } = this.#options;
    const item = this.#item(sharesIds ? id : `run/${runId}/turn`, turnContent(data), {
      turnId: sharesIds ? id : undefined,
      ts: this.#openTurns.get(id)?.ts,
    });
    return data.status === 'in_progress' ? { ...item, partial: true } : item;
  }

  #itemOf(item: AppServerItem, turnId: string): ThreadItem | undefined {
    const read = Object.hasOwn(appServerItems, item.type) ? appServerItems[item.type] : undefined;
    const empty: ItemContent = { kind: 'reason', role: 'assistant', text: '' };
    const content = read?.(item) ?? (item.type === 'reasoning' ? empty : undefined);
    if (!content) return undefined;
    const { sharesIds, runId } = this.#options;
    const ts = item.startedAtMs ?? undefined;
    return sharesIds
      ? this.#item(`${turnId}/${item.id}`, content, { turnId, itemId: item.id, ts })
      : this.#item(`run/${runId}/${item.id}`, content, { ts });
  }

  #item(
    key: string,
    content: ItemContent,
    at: {
      turnId?: string | undefined;
      itemId?: string | undefined;
      ts?: number | undefined;
    } = {},
  ): ThreadItem {
    const { runId, now } = this.#options;
    const item: ThreadItem = { key, ...content, ts: at.ts ?? now(), provisional: true, runId };
    if (at.turnId !== undefined) item.turnId = at.turnId;
    if (at.itemId !== undefined) item.itemId = at.itemId;
    return item;
  }
}

function said(...items: ThreadItem[]): AppServerOutcome {
  return { items, pieces: [], problems: [] };
}

/** Reasoning may be encrypted as a whole: nothing of it can be shown. */
function bounded(item: ThreadItem): ThreadItem[] {
  if (item.kind === 'reason' && item.text === '') return [];
  return [boundedItem(item, { path: '', offset: 0 })];
}

const addressed = z.object({ threadId: z.string().nullish() });
const turn = z.object({
  id: z.string(),
  status: z.enum(['inProgress', 'completed', 'failed', 'interrupted']),
  error: z.object({ message: z.string() }).nullish(),
  durationMs: z.number().nullish().catch(undefined),
});
const turnEvent = z.object({ turn });
const itemEvent = z.object({ item: appServerItem, turnId: z.string() });
const deltaEvent = z.object({
  itemId: z.string(),
  delta: z.string(),
  summaryIndex: z.int().min(0).max(1_000).optional(),
  contentIndex: z.int().min(0).max(1_000).optional(),
});
const planUpdate = z.object({
  turnId: z.string(),
  explanation: z.string().nullish().catch(undefined),
  plan: z.array(
    z.object({ step: z.string(), status: z.enum(['pending', 'inProgress', 'completed']) }),
  ),
});
const errorEvent = z.object({
  error: z.object({ message: z.string() }),
  willRetry: z.boolean().catch(false),
});
const warning = z.object({ message: z.string() });
const breakdown = z.object({
  totalTokens: z.number(),
  inputTokens: z.number(),
  cachedInputTokens: z.number(),
  outputTokens: z.number(),
  reasoningOutputTokens: z.number().catch(0),
});
const usageUpdate = z.object({ tokenUsage: z.object({ total: breakdown, last: breakdown }) });
