/** Lines about the thread and its turns. */
import { z } from 'zod';
import { interrupted, turnContent } from '../item-content.ts';
import type { ThreadItem, TokenUsage } from '../thread-item.ts';
import { titleOf } from '../title.ts';
import { timeOfUuid } from '../time-of-uuid.ts';
import { tokenCounts } from '../token-usage.ts';
import { leftOutBecause } from './line-kinds.ts';
import { itemOf, type LineContext, type ReadLine } from './rollout-state.ts';
import { sessionMeta, threadOfMeta } from './session-meta.ts';

const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);

const turnContext = z.object({ turn_id: text, cwd: text, model: text });
const taskStarted = z.object({ turn_id: text });
const taskComplete = z.object({
  turn_id: text,
  duration_ms: number,
  /** Seconds since the epoch. */
  started_at: number,
  error: z
    .union([z.string(), z.object({ message: z.string() }).transform(({ message }) => message)])
    .optional()
    .catch(undefined),
});
const turnAborted = taskComplete.extend({ reason: text });
const tokenCount = z.object({
  info: z
    .object({
      total_token_usage: tokenCounts,
      last_token_usage: tokenCounts.optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});
const tokenUsageRecord = z.object({
  turn_id: text,
  /** Of one answer of the model. */
  usage: tokenCounts.optional().catch(undefined),
  turn_token_usage: tokenCounts.optional().catch(undefined),
  thread_token_usage: tokenCounts,
});
const threadName = z.object({ thread_name: text });

export const turnLines = {
  session_meta: ({ state, line, ts }) => {
    const meta = sessionMeta.parse(line.payload);
    if (state.owner === meta.id) return leftOutBecause.repeatedMeta;
    if (state.owner !== undefined) {
      const isSecondLine = state.lines === 2 && !state.hasOrdinals;
      if (isSecondLine) state.inheritance.copyBegins(madeAt(state), line.ts);
      return leftOutBecause.otherThread;
    }
    state.owner = meta.id;
    state.inheritance.begin(meta.subagent_history_start_ordinal);
    state.patchThread({
      ...threadOfMeta(meta),
      historyMode: state.hasOrdinals ? 'paginated' : 'legacy',
    });
    // `thread/revert` begins a new file and leaves the old one as it is. A fork has nothing before `ts`.
    state.usage.begin({
      isFork: (meta.forked_from_id ?? meta.id) !== meta.id,
      isSegment: state.isSegment,
    });
    const base = meta.history_base?.end_ordinal_exclusive;
    if (base !== undefined) state.patchThread({ reverts: [{ ordinal: base, at: ts }] });
    return undefined;
  },

  turn_context: ({ state, line }) => {
    const { turn_id: turnId, cwd, model } = turnContext.parse(line.payload);
    if (turnId !== undefined && state.turnId === undefined) state.turnId = turnId;
    if (cwd !== undefined && state.thread.cwd === undefined) state.patchThread({ cwd });
    if (model !== undefined) state.patchThread({ model });
    return undefined;
  },

  'event_msg/task_started': (context) => {
    const turnId = taskStarted.parse(context.line.payload).turn_id;
    if (turnId === undefined) return leftOutBecause.unnamedTurn;
    // What a migration puts in between a prompt's two lines begins no turn for what waits.
    if (!isSynthetic(turnId)) settleTurn(context);
    context.emit(abandonedCalls(context));
    context.state.beginTurn(turnId);
    const { state, ts } = context;
    return context.emit(state.turns.started(turnId, ts, state.placeOf(state.position)));
  },

  'event_msg/task_complete': (context) => {
    const end = taskComplete.parse(context.line.payload);
    return endTurn(context, end.error === undefined ? 'completed' : 'failed', end);
  },

  'event_msg/turn_aborted': (context) =>
    endTurn(context, 'interrupted', turnAborted.parse(context.line.payload)),

  'event_msg/token_count': ({ state, line }) => {
    const { info } = tokenCount.parse(line.payload);
    if (!info) return leftOutBecause.empty;
    // A record (0.155 and later) says the same, and what the turn alone used.
    if (state.hasUsageRecords) return leftOutBecause.sameAsItem;
    return noteUsage(state, info.total_token_usage, info.last_token_usage);
  },

  token_usage_record: ({ state, line }) => {
    const record = tokenUsageRecord.parse(line.payload);
    state.hasUsageRecords = true;
    return noteUsage(state, record.thread_token_usage, record.usage, record);
  },

  'event_msg/thread_name_updated': ({ state, line }) => {
    const name = threadName.parse(line.payload).thread_name;
    const title = name === undefined ? undefined : titleOf(name);
    if (title === undefined) return leftOutBecause.empty;
    state.patchThread({ title: { text: title, source: 'agent' } });
    return undefined;
  },
} satisfies Record<string, ReadLine>;

function noteUsage(
  state: LineContext['state'],
  total: TokenUsage,
  ofResponse: TokenUsage | undefined,
  ofTurn: Pick<z.infer<typeof tokenUsageRecord>, 'turn_id' | 'turn_token_usage'> = {},
): undefined {
  const own = state.usage.of(total, ofResponse);
  state.turns.used(own, ofTurn.turn_id ?? state.turnId, ofTurn.turn_token_usage);
  if (own) state.patchThread({ usage: own });
}

/** A fork's totals go on from those that it copied. */
export function noteCopiedUsage({ usage }: LineContext['state'], payload: unknown): void {
  const total = tokenCount.safeParse(payload).data?.info?.total_token_usage;
  if (total) usage.copied(total);
}

/** `codex migrate-rollouts` gives turns to files that are older than turns: `rollout-3`. */
function isSynthetic(turnId: string): boolean {
  return /^rollout-\d+$/.test(turnId);
}

function madeAt({ owner, thread }: LineContext['state']): number {
  return timeOfUuid(owner ?? '') ?? thread.createdAt ?? 0;
}

/** What waited for more of its turn will not get any. */
export function settleTurn({ state, emit }: LineContext): void {
  emit(state.pairs.endTurn());
}

/** A process that was killed leaves calls open for ever; those in the background may still end. */
function abandonedCalls({ state }: LineContext): ThreadItem[] {
  const abandoned = [...state.openCalls].filter(([id]) => !state.background.has(id));
  for (const [id] of abandoned) state.openCalls.delete(id);
  return abandoned.map(([, item]) => interrupted(item));
}

function endTurn(
  context: LineContext,
  status: 'completed' | 'failed' | 'interrupted',
  end: z.infer<typeof turnAborted>,
): string | undefined {
  const { state, ts, emit } = context;
  settleTurn(context);
  const turnId = end.turn_id ?? state.turnId;
  if (turnId === undefined) return endUnnamed(context, status, end);
  return emit(
    state.turns.ended(turnId, ts, {
      status,
      durationMs: end.duration_ms,
      error: end.error,
      reason: end.reason,
      startedAt: end.started_at === undefined ? undefined : end.started_at * 1000,
    }),
  );
}

/** Before 0.101 turns have no ids, and only an interruption leaves a trace. */
function endUnnamed(
  { state, line, ts, emit }: LineContext,
  status: 'completed' | 'failed' | 'interrupted',
  { reason }: z.infer<typeof turnAborted>,
): string | undefined {
  if (status === 'completed') return leftOutBecause.unnamedTurn;
  const content = turnContent(reason === undefined ? { status } : { status, reason });
  return emit(itemOf(state.contentKey('turn_aborted', line.payload), content, { ts }));
}
