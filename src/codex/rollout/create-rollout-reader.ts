import { z } from 'zod';
import { boundedItem } from '../bounded-item.ts';
import { condensedItem } from '../condense/condensed-item.ts';
import type { ThreadItem, ThreadPatch } from '../thread-item.ts';
import { wrapBareLine } from './bare-line.ts';
import { callLines } from './call-lines.ts';
import { eventLines } from './event-lines.ts';
import { itemLines } from './item-lines.ts';
import { parseLine, refusal, type RolloutLine } from './line.ts';
import { isLineKind, leftOutBecause, lineKinds } from './line-kinds.ts';
import { responseLines } from './response-lines.ts';
import type { LineOutcome, LinePosition, LineProblem, RolloutReader } from './rollout-reader.ts';
import { type ReadLine, RolloutState } from './rollout-state.ts';
import { noteCopiedUsage, turnLines } from './turn-lines.ts';

/** How each kind of line is read; `line-kinds.ts` says which are not, and why. */
export const lineReaders: Readonly<Record<string, ReadLine>> = {
  ...turnLines,
  ...itemLines,
  ...eventLines,
  ...responseLines,
  ...callLines,
};

/** A line that is shorter cannot make an item over the limit: content is at most kept twice. */
const SMALL_LINE_BYTES = 64 * 1024;

/**
 * `path` names the thread before its first line does, and is where `truncated` points.
 * With `whole` nothing is cut but what comes condensed.
 */
export function createRolloutReader({
  path,
  whole = false,
}: {
  path: string;
  whole?: boolean;
}): RolloutReader {
  const state = new RolloutState(path);

  function push(text: string, at: LinePosition): LineOutcome {
    const outcome: LineOutcome = { items: [], problems: [] };
    const parsed = parseLine(text);
    if (!parsed.ok) return { ...outcome, problems: [parsed.problem] };
    const line = parsed.line ?? wrapBareLine(parsed.value);
    if (!line) return { ...outcome, problems: [unknown('no kind that Codex writes')] };
    if (!parsed.line) state.isBare = true;
    const items: ThreadItem[] = [];
    state.condensed = at.condensed && { payload: line.payload, ...at.condensed };
    const bound = bounding(path, at, whole);
    const read = readLine(state, line, items, bound);
    outcome.items = items.map(bound);
    if (read.leftOut !== undefined) outcome.leftOut = read.leftOut;
    if (read.problem) outcome.problems.push(read.problem);
    if (state.threadChanged) outcome.thread = thread();
    else if (items.length === 0 && !read.problem) outcome.leftOut ??= leftOutBecause.nothingNew;
    state.threadChanged = false;
    return outcome;
  }

  function thread(): ThreadPatch {
    return { ...state.thread };
  }

  return {
    push,
    replay: (text, at) => void push(text, at),
    get thread() {
      return thread();
    },
  };
}

interface LineRead {
  leftOut?: string;
  problem?: LineProblem;
}

function readLine(
  state: RolloutState,
  line: RolloutLine,
  items: ThreadItem[],
  bound: (item: ThreadItem) => ThreadItem,
): LineRead {
  const ts = line.ts ?? (state.lastTs === 0 ? (state.thread.createdAt ?? 0) : state.lastTs);
  state.lastTs = ts;
  state.lines += 1;
  if (line.ordinal !== undefined) state.hasOrdinals = true;
  state.position = line.ordinal ?? (state.hasOrdinals ? state.position : state.lines - 1);
  if (state.inheritance.covers(line)) {
    // Of numbered files only a sub-agent's copy lines, and it counts from zero.
    if (!state.hasOrdinals) noteCopiedUsage(state, line.payload);
    return { leftOut: leftOutBecause.inherited };
  }
  const kind = kindOf(line);
  if (!isLineKind(kind)) return { problem: unknown(kind) };
  const rule = lineKinds[kind];
  if ('leftOut' in rule) return { leftOut: rule.leftOut };
  const emit = (emitted: ThreadItem | readonly ThreadItem[]): undefined => {
    for (const item of Array.isArray(emitted) ? emitted : [emitted as ThreadItem]) {
      items.push(state.told(item));
    }
  };
  try {
    const leftOut = lineReaders[kind]?.({ state, line, ts, emit, bound });
    return leftOut === undefined ? {} : { leftOut };
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    return { problem: { kind: 'malformed', reason: `${kind}: ${refusal(error)}` } };
  }
}

const itemType = z.object({ item: z.object({ type: z.string() }) });

function kindOf({ type, payload }: RolloutLine): string {
  if (type !== 'response_item' && type !== 'event_msg') return type;
  const kind = `${type}/${String(payload.type)}`;
  if (kind !== 'event_msg/item_completed') return kind;
  const parsed = itemType.safeParse(payload);
  return parsed.success ? `${kind}/${parsed.data.item.type}` : kind;
}

/** Makes an item of this line as large as a row may be. */
function bounding(path: string, { offset, length, condensed }: LinePosition, whole: boolean) {
  if (condensed) return (item: ThreadItem) => condensedItem(item, { path, offset }, length);
  if (whole || length < SMALL_LINE_BYTES) return (item: ThreadItem) => item;
  return (item: ThreadItem) => boundedItem(item, { path, offset });
}

function unknown(kind: string): LineProblem {
  return { kind: 'unknown', reason: `unknown kind of line: ${kind.slice(0, 100)}` };
}
