/** Events of the wrapped generation (0.30 to 0.147), where 0.148 and later have items. */
import { z } from 'zod';
import {
  errorContent,
  type ItemContent,
  messageContent,
  prefaceContent,
  reasonContent,
  toolContent,
  workStatus,
} from '../item-content.ts';
import type { MessageData } from '../item-data.ts';
import { embeddedImage, pictureOf, portableJson } from '../portable-json.ts';
import { completedItems } from './completed-item.ts';
import { emitCompleted, noteDisplayed } from './emit-completed.ts';
import { leftOutBecause } from './line-kinds.ts';
import { itemOf, type LineContext, type ReadLine } from './rollout-state.ts';
import { notice } from './spoken-items.ts';
import { settleTurn } from './turn-lines.ts';
import { SUB_AGENT_ACTIVITY } from './work-items.ts';

const text = z.string().optional().catch(undefined);
const anything = z.unknown().optional();

const userMessage = z.object({
  message: z.string(),
  /** `plain`, or what the harness put in front of it (before 0.50). */
  kind: text,
  client_id: text,
  images: z.array(z.string()).nullish().catch(undefined),
  local_images: z.array(z.string()).nullish().catch(undefined),
});
const agentMessage = z.object({ message: z.string(), phase: text });
const agentReasoning = z.object({ text: z.string() });
const callEnd = z.looseObject({ call_id: z.string(), turn_id: text });
const mcpEnd = z.object({
  invocation: z.object({ server: z.string(), tool: z.string(), arguments: anything }),
  result: z.object({ Ok: anything, Err: anything }).optional().catch(undefined),
  duration: anything,
});
const collabEnd = z.looseObject({
  type: z.string(),
  call_id: z.string(),
  turn_id: text,
  prompt: anything,
});
const subAgentActivity = z.object({ call_id: text, turn_id: text, kind: z.string() });
const failure = z.object({
  message: text,
  error: z.object({ message: z.string() }).optional().catch(undefined),
});
const rolledBack = z.object({ num_turns: z.number() });
const undoCompleted = z.object({ success: z.boolean().catch(false), message: text });

/** An event about a call, read as the item that says the same today. */
function asItem(
  type: keyof typeof completedItems,
  reshape: (payload: Record<string, unknown>) => object,
): ReadLine {
  return (context) => {
    const payload = callEnd.parse(context.line.payload);
    const content = completedItems[type](reshape(payload));
    const turnId = payload.turn_id ?? context.state.turnId;
    return emitCompleted(context, payload.call_id, content, { turnId });
  };
}

const same = (payload: Record<string, unknown>) => payload;

export const eventLines = {
  'event_msg/user_message': (context) => {
    const parsed = userMessage.parse(context.line.payload);
    const data: MessageData = {};
    const images = [
      ...(parsed.images ?? []).map((url) => embeddedImage(url) ?? { url }),
      ...(parsed.local_images ?? []).map((path) => ({ path })),
    ];
    if (images.length > 0) data.images = images;
    if (parsed.client_id !== undefined) data.clientId = parsed.client_id;
    const isInjected = /^(?:environment_context|user_instructions)$/.test(parsed.kind ?? '');
    const content = (isInjected ? prefaceContent : messageContent)('user', parsed.message, data);
    const result = display(context, content);
    // What the model was given before this prompt and nobody displayed, nobody will.
    if (context.state.turnId === undefined) settleTurn(context);
    return result;
  },
  'event_msg/agent_message': (context) => {
    const { message, phase } = agentMessage.parse(context.line.payload);
    const data = phase === undefined ? {} : { phase };
    return display(context, messageContent('assistant', message, data));
  },
  'event_msg/agent_reasoning': displayReasoning,
  'event_msg/agent_reasoning_raw_content': displayReasoning,

  'event_msg/exec_command_end': asItem('CommandExecution', same),
  'event_msg/patch_apply_end': asItem('FileChange', (payload) => ({
    ...payload,
    status: payload['status'] ?? (payload['success'] === false ? 'failed' : 'completed'),
  })),
  'event_msg/mcp_tool_call_end': asItem('McpToolCall', (payload) => {
    const { invocation, result, duration } = mcpEnd.parse(payload);
    const isError = z.object({ isError: z.literal(true) }).safeParse(result?.Ok).success;
    const failed = isError || result?.Err != null;
    return {
      ...invocation,
      duration,
      result: result?.Ok,
      error: result?.Err,
      status: failed ? 'failed' : 'completed',
    };
  }),
  'event_msg/web_search_end': asItem('WebSearch', same),
  'event_msg/view_image_tool_call': asItem('ImageView', ({ path }) => ({ path })),
  'event_msg/image_generation_end': asItem('ImageGeneration', ({ result, ...payload }) => ({
    status: payload['status'],
    revised_prompt: payload['revised_prompt'],
    result: typeof result === 'string' && result !== '' ? pictureOf('image/png', result) : null,
  })),
  'event_msg/dynamic_tool_call_response': asItem('DynamicToolCall', same),

  'event_msg/collab_agent_spawn_end': endCollab,
  'event_msg/collab_agent_interaction_end': endCollab,
  'event_msg/collab_waiting_end': endCollab,
  'event_msg/collab_close_end': endCollab,
  'event_msg/collab_resume_end': endCollab,
  'event_msg/sub_agent_activity': (context) => {
    const { kind, call_id: callId, turn_id: turnId } = subAgentActivity.parse(context.line.payload);
    const { type: _, ...details } = context.line.payload;
    const content = toolContent({
      tool: `${SUB_AGENT_ACTIVITY}${kind}`,
      arguments: portableJson(details),
      status: 'completed',
    });
    if (callId === undefined) return display(context, content);
    return emitCompleted(context, callId, content, { turnId: turnId ?? context.state.turnId });
  },

  'event_msg/context_compacted': (context) =>
    display(context, notice('Context compacted', 'context_compacted')),
  'event_msg/entered_review_mode': (context) =>
    display(context, completedItems.EnteredReviewMode(context.line.payload)),
  'event_msg/exited_review_mode': (context) =>
    display(context, completedItems.ExitedReviewMode(context.line.payload)),
  'event_msg/undo_completed': (context) => {
    const { success, message } = undoCompleted.parse(context.line.payload);
    const line = message ?? (success ? 'Undone' : 'Could not undo');
    return display(context, notice(line, 'undo_completed', { success }));
  },
  'event_msg/thread_rolled_back': (context) => {
    const { num_turns: turns } = rolledBack.parse(context.line.payload);
    const line =
      turns === 1 ? 'The last turn was taken back' : `The last ${turns} turns were taken back`;
    const { state, ts } = context;
    const position = state.userTurns.takeBack(turns);
    if (position !== undefined) {
      // Earlier ones from the same line on, or later, are part of this one.
      const earlier = (state.thread.reverts ?? []).filter(
        (revert) => (revert.ordinal ?? revert.line ?? 0) < position,
      );
      state.patchThread({ reverts: [...earlier, { ...state.placeOf(position), at: ts }] });
    }
    return display(context, notice(line, 'thread_rolled_back', { turns }));
  },
  'event_msg/error': (context) => displayError(context, true),
  'event_msg/stream_error': (context) => displayError(context, false),
  'event_msg/warning': (context) => displayError(context, false),
} satisfies Record<string, ReadLine>;

/** Events have no ids: the key is the content. */
function display(context: LineContext, content: ItemContent | null): string | undefined {
  const { state, line, ts, emit } = context;
  if (!content) return leftOutBecause.empty;
  noteDisplayed(state, content);
  const key = state.contentKey(line.payload.type ?? line.type, line.payload);
  return emit(itemOf(key, content, { ts, turnId: state.turnId }));
}

function displayReasoning(context: LineContext): string | undefined {
  const { text: reasoning } = agentReasoning.parse(context.line.payload);
  if (reasoning.trim() === '') return leftOutBecause.empty;
  if (context.state.reasonCopies.take(reasoning)) return leftOutBecause.sameAsItem;
  return display(context, reasonContent(reasoning));
}

function displayError(context: LineContext, fatal: boolean): string | undefined {
  const { message, error } = failure.parse(context.line.payload);
  const said = message ?? error?.message;
  if (said === undefined) return leftOutBecause.empty;
  return display(context, errorContent(said, { fatal }));
}

/** What other agents gave back, in the shape that each event has. */
function endCollab(context: LineContext): string | undefined {
  const { state, line } = context;
  const { type, call_id: callId, turn_id, prompt, ...details } = collabEnd.parse(line.payload);
  const call = state.openCalls.get(callId);
  const content = toolContent({
    tool: call?.text ?? type.replace(/^collab_(?:agent_)?(.*)_end$/, '$1_agent'),
    arguments: call?.data?.['arguments'] ?? portableJson(prompt ?? null),
    result: portableJson(details),
    status: workStatus(typeof details['status'] === 'string' ? details['status'] : undefined),
  });
  return emitCompleted(context, callId, content, { turnId: turn_id ?? state.turnId });
}
