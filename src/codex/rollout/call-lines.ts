/** Lines that hold a tool call or what the tool gave back. */
import { z } from 'zod';
import { type ItemContent, toolContent } from '../item-content.ts';
import { portableJson, withoutPicture } from '../portable-json.ts';
import { callContent, localShellContent, webSearchContent } from '../tool-call.ts';
import { withOutput } from '../tool-output.ts';
import { leftOutBecause } from './line-kinds.ts';
import { passthrough, turnOf } from './response-lines.ts';
import { itemOf, type LineContext, type ReadLine } from './rollout-state.ts';

const text = z.string().optional().catch(undefined);
const identity = {
  id: text.or(z.null().transform(() => undefined)),
  call_id: text,
  internal_chat_message_metadata_passthrough: passthrough,
};
const call = z.object({
  ...identity,
  call_id: z.string(),
  name: z.string(),
  namespace: text,
  arguments: text,
  input: text,
});
const output = z.object({ ...identity, call_id: z.string(), output: z.unknown().optional() });
const localShell = z.object({ ...identity, action: z.unknown().optional() });
const webSearch = z.object({ ...identity, action: z.unknown().optional() });
const anyCall = z.looseObject({ ...identity, type: z.string(), status: text });

export const callLines = {
  'response_item/function_call': readCall,
  'response_item/custom_tool_call': readCall,
  'response_item/function_call_output': readOutput,
  'response_item/custom_tool_call_output': readOutput,

  'response_item/local_shell_call': (context) => {
    const parsed = localShell.parse(context.line.payload);
    const id = parsed.call_id ?? parsed.id;
    const content = localShellContent(parsed.action);
    return content ? openCall(context, parsed, id, content) : readAny(context);
  },

  'response_item/web_search_call': (context) => {
    const { state, line, ts, emit } = context;
    const parsed = webSearch.parse(line.payload);
    const content = webSearchContent(parsed.action);
    const { id } = parsed;
    const wasDisplayed = state.searches.take(content.text ?? '');
    if (wasDisplayed || (id !== undefined && state.shown.has(id))) return leftOutBecause.sameAsItem;
    if (id !== undefined) state.shown.add(id);
    const turnId = turnOf(state, parsed);
    const key =
      id === undefined
        ? state.contentKey('web_search_call', line.payload)
        : state.keyIn(turnId, id);
    return emit(itemOf(key, content, { ts, turnId, itemId: id }));
  },

  'response_item/tool_search_call': readAny,
  'response_item/image_generation_call': readAny,
} satisfies Record<string, ReadLine>;

function readCall(context: LineContext): string | undefined {
  const parsed = call.parse(context.line.payload);
  const { name, namespace, input } = parsed;
  const content = callContent({
    name,
    ...(namespace === undefined ? {} : { namespace }),
    input: parsed.arguments ?? input ?? '',
  });
  return openCall(context, parsed, parsed.call_id, content);
}

/** Shown at once, in progress; its output or its item completes it under the same key. */
function openCall(
  { state, line, ts, emit, bound }: LineContext,
  parsed: Parameters<typeof turnOf>[1],
  callId: string | undefined,
  content: ItemContent,
): string | undefined {
  const turnId = turnOf(state, parsed);
  if (callId === undefined) {
    const key = state.contentKey(line.payload.type ?? 'call', line.payload);
    return emit(itemOf(key, content, { ts, turnId }));
  }
  if (state.shown.has(callId) || state.openCalls.has(callId)) return leftOutBecause.sameAsItem;
  const item = itemOf(state.keyIn(turnId, callId), content, { ts, turnId, itemId: callId });
  item.partial = true;
  state.openCalls.set(callId, bound(state.placed(item)));
  return emit(item);
}

function readOutput(context: LineContext): string | undefined {
  const { state, line, emit } = context;
  const parsed = output.parse(line.payload);
  const callId = parsed.call_id;
  const open = state.openCalls.get(callId);
  if (!open) {
    if (state.shown.has(callId)) return leftOutBecause.sameAsItem;
    return emit(furtherOutput(context, parsed));
  }
  const { partial: _, ...call } = open;
  const completed = withOutput(call, parsed.output);
  if (!completed) {
    state.background.add(callId);
    return leftOutBecause.stillRunning;
  }
  state.openCalls.delete(callId);
  state.closeCall(callId, completed.text);
  return emit(completed);
}

/** A call may give back more than once, and a copied history may lack the call: rows of their own. */
function furtherOutput({ state, line, ts }: LineContext, parsed: z.infer<typeof output>) {
  const tool = state.closedCalls.get(parsed.call_id) ?? 'unknown';
  const content = toolContent({ tool, result: portableJson(parsed.output), status: 'completed' });
  const key = parsed.id ?? state.contentKey('output', line.payload);
  return itemOf(key, content, { ts, turnId: turnOf(state, parsed), itemId: parsed.id });
}

/** A call of the provider's own tools, complete in one line. */
function readAny({ state, line, ts, emit }: LineContext): string | undefined {
  const { type, id, call_id: callId, status, ...rest } = anyCall.parse(line.payload);
  const key = callId ?? id;
  if (key !== undefined && state.shown.has(key)) return leftOutBecause.sameAsItem;
  const { internal_chat_message_metadata_passthrough: _, ...details } = rest;
  const content = toolContent({
    tool: type.replace(/_call$/, ''),
    arguments: portableJson(withoutPicture(details)),
    status: status === 'failed' ? 'failed' : 'completed',
  });
  const turnId = turnOf(state, rest);
  return emit(
    itemOf(
      key === undefined ? state.contentKey(type, line.payload) : state.keyIn(turnId, key),
      content,
      {
        ts,
        turnId,
        itemId: key,
      },
    ),
  );
}
