/** Emits what was displayed as a whole: an item, or an event of the older generations. */
import type { ItemContent } from '../item-content.ts';
import type { ThreadItem } from '../thread-item.ts';
import { titleOf } from '../title.ts';
import { leftOutBecause } from './line-kinds.ts';
import { SUB_AGENT_ACTIVITY } from './work-items.ts';
import { itemOf, type LineContext, placeOfItem, type RolloutState } from './rollout-state.ts';

/** `id` is the item's own, which a call shares with its outcome. */
export function emitCompleted(
  context: LineContext,
  id: string,
  content: ItemContent | null,
  { turnId, startedAt }: { turnId?: string | undefined; startedAt?: number | undefined },
): string | undefined {
  const { state, emit } = context;
  if (state.shown.has(id)) return leftOutBecause.sameAsItem;
  state.shown.add(id);
  if (!content) return leftOutBecause.empty;
  noteDisplayed(state, content);
  const call = state.openCalls.get(id);
  state.openCalls.delete(id);
  state.background.delete(id);
  state.closeCall(id, content.text);
  const item = itemOf(state.keyIn(turnId, id), call ? joined(call, content) : content, {
    // Where its call is, there it stays: rows do not jump when work ends.
    ts: call?.ts ?? startedAt ?? context.ts,
    turnId,
    itemId: id,
  });
  return emit(call ? { ...item, ...placeOfItem(call) } : item);
}

/** The model has a copy of what is displayed, and that copy is not shown. */
export function noteDisplayed(state: RolloutState, { kind, role, text = '' }: ItemContent): void {
  if (kind === 'reason') for (const part of text.split('\n\n')) state.reasons.add(part);
  if (kind === 'search') state.searches.add(text);
  if (kind !== 'message' || role === 'system' || role === undefined) return;
  state.pairs.displayed(role, text);
  if (role !== 'user') return;
  state.userTurns.prompted(state.position);
  takeTitle(state, text);
}

/** The first real prompt names the thread, until something better does. */
export function takeTitle(state: RolloutState, prompt: string): void {
  if (state.hasPrompt) return;
  const title = titleOf(prompt);
  if (title === undefined) return;
  state.hasPrompt = true;
  if (state.thread.title?.source !== 'agent') {
    state.patchThread({ title: { text: title, source: 'prompt' } });
  }
}

/** What an item says of its call; a sub-agent's start does not repeat what it was asked. */
function joined(call: ThreadItem, content: ItemContent): ItemContent {
  const tool = content.data?.['tool'];
  if (typeof tool !== 'string' || !tool.startsWith(SUB_AGENT_ACTIVITY) || !call.data) {
    return content;
  }
  const { kind, text = '', data } = call;
  const result = content.data?.['arguments'] ?? null;
  return { kind, text, data: { ...data, result, status: 'completed' } };
}
