/** The items inside the events of `codex exec --json`. Pure. */
import { z } from 'zod';
import { splitWords } from '../command-line.ts';
import {
  commandContent,
  errorContent,
  fileContent,
  type ItemContent,
  messageContent,
  reasonContent,
  searchContent,
  todoContent,
  toolContent,
  workStatus,
} from '../item-content.ts';
import type { TodoEntry } from '../item-data.ts';
import { defined } from '../defined.ts';
import { mcpResult } from '../mcp-result.ts';
import { portableJson } from '../portable-json.ts';

const text = z.string().optional().catch(undefined);
const anything = z.unknown().optional();

/**
 * By the item's type. Each throws a `ZodError` when the item lacks what makes it
 * one. The shapes are those of the session file's items.
 */
export const execItems: Record<string, (item: unknown) => ItemContent> = {
  agent_message: (item) => messageContent('assistant', spoken.parse(item).text),
  reasoning: (item) => reasonContent(spoken.parse(item).text),
  command_execution: (item) => {
    const command = commandExecution.parse(item);
    return commandContent({
      command: splitWords(command.command) ?? [command.command],
      ...defined({ exitCode: command.exit_code, output: command.aggregated_output }),
      status: workStatus(command.status),
    });
  },
  file_change: (item) => {
    const { changes, status } = fileChange.parse(item);
    return fileContent({ changes, status: workStatus(status) });
  },
  mcp_tool_call: (item) => {
    const call = mcpToolCall.parse(item);
    return toolContent({
      server: call.server,
      tool: call.tool,
      arguments: portableJson(call.arguments ?? null),
      ...(call.result == null ? {} : { result: mcpResult(call.result) }),
      ...defined({ error: call.error?.message }),
      status: workStatus(call.status),
    });
  },
  collab_tool_call: (item) => {
    const call = collabToolCall.parse(item);
    return toolContent({
      tool: call.tool,
      arguments: portableJson(
        defined({ prompt: call.prompt, receiverThreadIds: call.receiver_thread_ids }),
      ),
      result: portableJson(call.agents_states ?? {}),
      status: workStatus(call.status),
    });
  },
  web_search: (item) => {
    const { query, action } = webSearch.parse(item);
    const details = action == null ? {} : { action: portableJson(action) };
    return searchContent({ query, ...details, status: 'completed' });
  },
  todo_list: (item) => {
    const items = todoList.parse(item).items.map((entry): TodoEntry => ({
      text: entry.text,
      status: entry.completed ? 'completed' : 'pending',
    }));
    return todoContent({ items, status: 'completed' });
  },
  // A warning: what ends a turn is an event of its own.
  error: (item) => errorContent(warning.parse(item).message, { fatal: false }),
};

const spoken = z.object({ text: z.string() });
const commandExecution = z.object({
  command: z.string(),
  aggregated_output: text,
  exit_code: z.number().nullish().catch(undefined),
  status: text,
});
const fileChange = z.object({
  changes: z.array(z.object({ path: z.string(), kind: z.enum(['add', 'update', 'delete']) })),
  status: text,
});
const mcpToolCall = z.object({
  server: z.string(),
  tool: z.string(),
  arguments: anything,
  result: anything,
  error: z.object({ message: z.string() }).nullish().catch(undefined),
  status: text,
});
const collabToolCall = z.object({
  tool: z.string(),
  prompt: z.string().nullish().catch(undefined),
  receiver_thread_ids: z.array(z.string()).optional().catch(undefined),
  agents_states: anything,
  status: text,
});
const webSearch = z.object({ query: z.string().catch(''), action: anything });
const todoList = z.object({
  items: z.array(z.object({ text: z.string(), completed: z.boolean().catch(false) })),
});
const warning = z.object({ message: z.string() });
