/** The items inside the notifications of `codex app-server`. Pure. */
import { z } from 'zod';
import { splitWords } from '../command-line.ts';
import { defined } from '../defined.ts';
import {
  commandContent,
  fileContent,
  type ItemContent,
  messageContent,
  toolContent,
  workStatus,
} from '../item-content.ts';
import type { FileChange } from '../item-data.ts';
import { mcpResult } from '../mcp-result.ts';
import { portableJson } from '../portable-json.ts';
import { completedItems, type ReadItem } from '../rollout/completed-item.ts';

export const appServerItem = z.looseObject({
  type: z.string(),
  id: z.string(),
  clientId: z.string().nullish().catch(undefined),
  startedAtMs: z.number().nullish().catch(undefined),
});
export type AppServerItem = z.infer<typeof appServerItem>;

/**
 * By the item's type; the session file has the same items in snake case. Each throws a
 * `ZodError` when the item lacks what makes it one; null when there is nothing to read.
 */
export const appServerItems: Record<string, ReadItem> = {
  userMessage: inFileSpelling(completedItems.UserMessage),
  agentMessage: (item) => {
    const { text, phase } = agentMessage.parse(item);
    return messageContent('assistant', text, defined({ phase }));
  },
  reasoning: (item) => {
    const { summary, content } = reasoning.parse(item);
    return completedItems.Reasoning({ summary_text: summary, raw_content: content });
  },
  plan: completedItems.Plan,
  commandExecution: (item) => {
    const command = commandExecution.parse(item);
    return commandContent({
      command: splitWords(command.command) ?? [command.command],
      ...defined({
        cwd: command.cwd,
        exitCode: command.exitCode,
        // The file has an empty output where this has none.
        output: command.aggregatedOutput ?? (command.status === 'inProgress' ? undefined : ''),
        durationMs: command.durationMs,
      }),
      status: workStatus(command.status),
    });
  },
  fileChange: (item) => {
    const { status } = fileChange.parse(item);
    return fileContent({ changes: changesIn(item), status: workStatus(status) });
  },
  mcpToolCall: (item) => {
    const call = mcpToolCall.parse(item);
    return toolContent({
      server: call.server,
      tool: call.tool,
      arguments: portableJson(call.arguments),
      ...(call.result == null ? {} : { result: mcpResult(call.result) }),
      ...defined({ error: call.error?.message, durationMs: call.durationMs }),
      status: workStatus(call.status),
    });
  },
  dynamicToolCall: (item) => {
    const call = dynamicToolCall.parse(item);
    return toolContent({
      tool: call.namespace == null ? call.tool : `${call.namespace}.${call.tool}`,
      arguments: portableJson(call.arguments),
      ...(call.contentItems == null ? {} : { result: portableJson(call.contentItems) }),
      ...defined({ durationMs: call.durationMs }),
      status: workStatus(call.success === false ? 'failed' : call.status),
    });
  },
  collabAgentToolCall: inFileSpelling(completedItems.CollabAgentToolCall),
  subAgentActivity: inFileSpelling(completedItems.SubAgentActivity),
  webSearch: completedItems.WebSearch,
  imageView: completedItems.ImageView,
  imageGeneration: inFileSpelling(completedItems.ImageGeneration),
  enteredReviewMode: (item) =>
    completedItems.EnteredReviewMode({ user_facing_hint: review.parse(item).review }),
  exitedReviewMode: completedItems.ExitedReviewMode,
  contextCompaction: completedItems.ContextCompaction,
};

/** What an item of the type `fileChange` changes. */
export function changesIn(item: unknown): FileChange[] {
  return fileChange.parse(item).changes.map(changeOf);
}

const fileUpdate = z.object({
  path: z.string(),
  kind: z.object({
    type: z.enum(['add', 'update', 'delete']),
    move_path: z.string().nullish().catch(undefined),
  }),
  diff: z.string().catch(''),
});

/** `diff` is the whole text of an added or deleted file, and a unified diff otherwise. */
function changeOf({ path, kind, diff }: z.infer<typeof fileUpdate>): FileChange {
  if (kind.type !== 'update') return { path, kind: kind.type, content: diff };
  return { path, kind: 'update', diff, ...defined({ movePath: kind.move_path ?? undefined }) };
}

/** For items that differ from the file's in the spelling of their fields alone. */
function inFileSpelling(read: (item: unknown) => ItemContent | null): ReadItem {
  return (item) =>
    read(
      Object.fromEntries(
        Object.entries(z.record(z.string(), z.unknown()).parse(item)).map(([name, value]) => [
          name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
          value,
        ]),
      ),
    );
}

const text = z.string().nullish().catch(undefined);
const number = z.number().nullish().catch(undefined);
const anything = z.unknown().optional();

const agentMessage = z.object({ text: z.string(), phase: text });
const reasoning = z.object({
  summary: z.array(z.string()).catch([]),
  content: z.array(z.string()).catch([]),
});
const commandExecution = z.object({
  command: z.string(),
  cwd: text,
  status: text,
  exitCode: number,
  aggregatedOutput: text,
  durationMs: number,
});
const fileChange = z.object({ changes: z.array(fileUpdate), status: text });
const mcpToolCall = z.object({
  server: z.string(),
  tool: z.string(),
  arguments: anything,
  result: anything,
  error: z.object({ message: z.string() }).nullish().catch(undefined),
  status: text,
  durationMs: number,
});
const dynamicToolCall = z.object({
  tool: z.string(),
  namespace: text,
  arguments: anything,
  contentItems: anything,
  success: z.boolean().nullish().catch(undefined),
  status: text,
  durationMs: number,
});
const review = z.object({ review: z.string().catch('') });
