/** Lines that hold a response item: the conversation as the model has it. */
import { z } from 'zod';
import { contentParts, readParts } from '../content-parts.ts';
import { messageContent, prefaceContent, reasonContent } from '../item-content.ts';
import type { MessageData } from '../item-data.ts';
import { isInjected, opensLikeInjected } from './injected-context.ts';
import { takeTitle } from './emit-completed.ts';
import { leftOutBecause } from './line-kinds.ts';
import { itemOf, type LineContext, type ReadLine } from './rollout-state.ts';

const text = z.string().optional().catch(undefined);

/** What the provider's items carry for the harness: from 0.146. */
export const passthrough = z
  .object({
    turn_id: text,
    content_item_kinds: z.array(z.string()).optional().catch(undefined),
  })
  .optional()
  .catch(undefined);

const message = z.object({
  id: text,
  role: z.string(),
  content: contentParts,
  phase: text,
  internal_chat_message_metadata_passthrough: passthrough,
});
const reasoning = z.object({
  id: text,
  summary: contentParts,
  content: contentParts,
  internal_chat_message_metadata_passthrough: passthrough,
});
const agentMessage = z.object({
  id: text,
  author: text,
  recipient: text,
  content: contentParts,
  internal_chat_message_metadata_passthrough: passthrough,
});
const compacted = z.object({ message: text });

export const responseLines = {
  'response_item/message': (context) => {
    const parsed = message.parse(context.line.payload);
    if (parsed.role === 'assistant') return assistantMessage(context, parsed);
    if (parsed.role === 'user') return userMessage(context, parsed);
    return preface(context, parsed, 'system');
  },

  'response_item/reasoning': ({ state, line, ts, emit }) => {
    const parsed = reasoning.parse(line.payload);
    const { id } = parsed;
    const summary = paragraphs(parsed.summary);
    const all = summary.length === 0 ? paragraphs(parsed.content) : summary;
    // Before 0.148 each paragraph was displayed by an event of its own.
    const rest = all.filter((paragraph) => !state.reasons.take(paragraph));
    if (all.length === 0) return leftOutBecause.empty;
    if (isOfCompaction(line)) return leftOutBecause.ofCompaction;
    const isShown = id !== undefined && state.shown.has(id);
    if (isShown || rest.length === 0) return leftOutBecause.sameAsItem;
    for (const paragraph of rest) state.reasonCopies.add(paragraph);
    if (id !== undefined) state.shown.add(id);
    const turnId = turnOf(state, parsed);
    const key =
      id === undefined ? state.contentKey('reasoning', line.payload) : state.keyIn(turnId, id);
    return emit(itemOf(key, reasonContent(rest.join('\n\n')), { ts, turnId, itemId: id }));
  },

  'response_item/agent_message': ({ state, line, ts, emit }) => {
    const parsed = agentMessage.parse(line.payload);
    const { text: body, encrypted } = readParts(parsed.content);
    const data: MessageData = {};
    if (parsed.author !== undefined) data.author = parsed.author;
    if (parsed.recipient !== undefined) data.recipient = parsed.recipient;
    if (encrypted) data.encrypted = true;
    const key = parsed.id ?? state.contentKey('agent_message', line.payload);
    return emit(
      itemOf(key, messageContent('system', body, data), {
        ts,
        turnId: turnOf(state, parsed),
        itemId: parsed.id,
      }),
    );
  },

  compacted: ({ state, line, ts, emit }) => {
    const summary = compacted.parse(line.payload).message;
    if (summary === undefined || summary === '') return leftOutBecause.empty;
    // Up to 0.164 the model's summary looks like any of its messages.
    state.pairs.forget('assistant', summary);
    const content = prefaceContent('system', summary, { event: 'context_compacted' });
    const key = state.contentKey('compacted', summary);
    return emit(itemOf(key, content, { ts, turnId: state.turnId }));
  },
} satisfies Record<string, ReadLine>;

function paragraphs(parts: z.infer<typeof contentParts>): string[] {
  return parts
    .flatMap((part) => (part.text ?? '').split('\n\n'))
    .filter((part) => part.trim() !== '');
}

type Message = z.infer<typeof message>;

/** Every prompt also has an item of its own, and only that one is the prompt. */
function userMessage(context: LineContext, parsed: Message): string | undefined {
  const { state } = context;
  const { text: body } = readParts(parsed.content);
  const kinds = parsed.internal_chat_message_metadata_passthrough?.content_item_kinds;
  const injected = isInjected(kinds);
  if (injected ?? false) return preface(context, parsed, 'user');
  if (state.pairs.wasDisplayed('user', body)) return leftOutBecause.sameAsItem;
  if (injected === undefined && opensLikeInjected(body)) return preface(context, parsed, 'user');
  if (state.isBare) {
    takeTitle(state, body);
    return context.emit(messageItem(context, parsed, 'message'));
  }
  const content = messageItem(context, parsed, injected === false ? 'message' : 'preface');
  state.pairs.wait('user', body, context.bound(state.placed(content)));
  return leftOutBecause.sameAsItem;
}

function assistantMessage(context: LineContext, parsed: Message): string | undefined {
  const { state, line, emit } = context;
  const { text: body } = readParts(parsed.content);
  const { id } = parsed;
  if (id !== undefined && state.shown.has(id)) {
    state.pairs.wasDisplayed('assistant', body);
    return leftOutBecause.sameAsItem;
  }
  if (state.pairs.wasDisplayed('assistant', body)) return leftOutBecause.sameAsItem;
  if (body === '') return leftOutBecause.empty;
  if (isOfCompaction(line)) return preface(context, parsed, 'system');
  const item = messageItem(context, parsed, 'message');
  if (state.isBare || !state.pairs.hasDisplayed) {
    // Nothing says that it will be displayed. If it is, then under the same id.
    if (id !== undefined) state.shown.add(id);
    return emit([...state.pairs.endTurn(), item]);
  }
  state.pairs.wait('assistant', body, context.bound(state.placed(item)));
  return leftOutBecause.sameAsItem;
}

/** From 0.165: what the model wrote to shorten its own context, which nobody was shown. */
function isOfCompaction({ metadata }: LineContext['line']): boolean {
  return metadata?.['compaction_output'] !== undefined;
}

const CWD = /<environment_context>[^]*?<cwd>([^<\n]+)<\/cwd>/;

function preface(
  context: LineContext,
  parsed: Message,
  role: 'user' | 'system',
): string | undefined {
  const { state, line, ts, emit } = context;
  const { text: body, images } = readParts(parsed.content);
  const contentKinds = parsed.internal_chat_message_metadata_passthrough?.content_item_kinds;
  const content = prefaceContent(role, body, {
    ...(images.length === 0 ? {} : { images }),
    ...(contentKinds === undefined ? {} : { contentKinds }),
  });
  // The oldest files name their directory nowhere else.
  const cwd = state.thread.cwd === undefined ? CWD.exec(body)?.[1] : undefined;
  if (cwd !== undefined) state.patchThread({ cwd });
  const key = parsed.id ?? state.contentKey('message', line.payload);
  return emit(itemOf(key, content, { ts, turnId: turnOf(state, parsed), itemId: parsed.id }));
}

function messageItem(context: LineContext, parsed: Message, kind: 'message' | 'preface') {
  const { state, line, ts } = context;
  const { text: body, images } = readParts(parsed.content);
  const role = parsed.role === 'user' ? 'user' : 'assistant';
  const data: MessageData = images.length === 0 ? {} : { images };
  if (parsed.phase !== undefined) data.phase = parsed.phase;
  const content =
    kind === 'message' ? messageContent(role, body, data) : prefaceContent(role, body, data);
  const turnId = turnOf(state, parsed);
  const key =
    parsed.id === undefined
      ? state.contentKey('message', line.payload)
      : state.keyIn(turnId, parsed.id);
  return itemOf(key, content, { ts, turnId, itemId: parsed.id });
}

export function turnOf(
  state: LineContext['state'],
  parsed: { internal_chat_message_metadata_passthrough?: z.infer<typeof passthrough> },
): string | undefined {
  return parsed.internal_chat_message_metadata_passthrough?.turn_id ?? state.turnId;
}
