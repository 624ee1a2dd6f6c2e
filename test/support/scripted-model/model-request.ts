/** What Codex asks of a model: the parts of a Responses API request that a script needs. */
import { z } from 'zod';
import type { ToolStyle } from './output-items.ts';

export interface ModelRequest {
  /** The newest real prompt in the conversation. */
  prompt: string;
  /** Codex's ids; the same turn asks once for each round of tool calls. */
  threadId: string;
  turnId: string;
  model: string;
  style: ToolStyle;
  /** What Codex tells the model as its developer. */
  told: string;
  /** The outputs of the tools that were called since the prompt. */
  toolOutputs: unknown[];
}

const requestBody = z.looseObject({
  model: z.string(),
  tools: z.array(z.looseObject({ name: z.string().optional() })).optional(),
  input: z.array(
    z.looseObject({
      type: z.string(),
      role: z.string().optional(),
      content: z.unknown().optional(),
      output: z.unknown().optional(),
    }),
  ),
});

const turnMetadata = z.looseObject({ thread_id: z.string(), turn_id: z.string() });

const textParts = z.array(z.looseObject({ text: z.string() }));

/** Throws on anything that is not a request of Codex. */
export function parseModelRequest(
  body: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): ModelRequest {
  const { model, tools, input } = requestBody.parse(JSON.parse(body));
  const metadata = turnMetadata.parse(JSON.parse(String(headers['x-codex-turn-metadata'])));
  const asked = input.findLastIndex(
    (item) => item.role === 'user' && !isInjected(textOf(item.content)),
  );
  return {
    prompt: textOf(input[asked]?.content),
    threadId: metadata.thread_id,
    turnId: metadata.turn_id,
    model,
    // Models in code mode get their one tool by an input item.
    style: tools?.some(({ name }) => name === 'exec_command') ? 'direct' : 'code mode',
    told: input
      .filter(({ role }) => role === 'developer')
      .map(({ content }) => textOf(content))
      .join('\n'),
    toolOutputs: input
      .slice(asked + 1)
      .filter(({ type }) => type.endsWith('_call_output'))
      .map(({ output }) => output),
  };
}

function textOf(content: unknown): string {
  const parts = textParts.safeParse(content);
  return parts.success ? parts.data.map(({ text }) => text).join('') : '';
}

/** Codex itself speaks as the user in such elements. */
function isInjected(text: string): boolean {
  return /^<[a-z_]+>/.test(text);
}
