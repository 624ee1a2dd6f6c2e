/** Items of the conversation itself, and notices of Codex in it. Pure. */
import { z } from 'zod';
import { contentParts, readParts } from '../content-parts.ts';
import { type ItemContent, messageContent, reasonContent } from '../item-content.ts';
import type { MessageData } from '../item-data.ts';
import { portableJson } from '../portable-json.ts';
import type { ReadItem } from './completed-item.ts';

const text = z.string().optional().catch(undefined);
const anything = z.unknown().optional();

export const spokenItems = {
  UserMessage: (item) => {
    const { content, client_id: clientId } = userMessage.parse(item);
    const { text, images } = readParts(content);
    return messageContent('user', text, {
      ...(images.length > 0 ? { images } : {}),
      ...(clientId === undefined ? {} : { clientId }),
    });
  },
  AgentMessage: (item) => {
    const { content, phase } = agentMessage.parse(item);
    return messageContent(
      'assistant',
      readParts(content).text,
      phase === undefined ? {} : { phase },
    );
  },
  Reasoning: (item) => {
    const { summary_text: summary, raw_content: raw } = reasoning.parse(item);
    const lines = summary.length > 0 ? summary : raw;
    return lines.length === 0 ? null : reasonContent(lines.join('\n\n'));
  },
  Plan: (item) => {
    const plan = z.object({ text: z.string() }).parse(item);
    return messageContent('assistant', plan.text, { event: 'plan' });
  },
  ContextCompaction: () => notice('Context compacted', 'context_compacted'),
  EnteredReviewMode: (item) => {
    const { user_facing_hint: hint } = reviewMode.parse(item);
    return notice(
      hint === undefined ? 'Review started' : `Review started: ${hint}`,
      'review_started',
    );
  },
  ExitedReviewMode: (item) => {
    const { review_output: output } = reviewMode.parse(item);
    // Its words come as an agent's message of their own.
    return notice('Review ended', 'review_ended', output);
  },
} satisfies Record<string, ReadItem>;

/** Something that Codex itself did and a reader should see. */
export function notice(line: string, event: string, details?: unknown): ItemContent {
  const data: MessageData = { event };
  if (details != null) data.details = portableJson(details);
  return messageContent('system', line, data);
}

const userMessage = z.object({ content: contentParts, client_id: text });
const agentMessage = z.object({ content: contentParts, phase: text });
const reasoning = z.object({
  summary_text: z.array(z.string()).catch([]),
  raw_content: z.array(z.string()).catch([]),
});
const reviewMode = z.object({ user_facing_hint: text, review_output: anything });
