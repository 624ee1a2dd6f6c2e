/** Items of work: commands, changed files, calls of tools. Pure. */
import { z } from 'zod';
import { defined } from '../defined.ts';
import {
  commandContent,
  fileContent,
  type ItemContent,
  searchContent,
  toolContent,
  workStatus,
} from '../item-content.ts';
import type { FileChange } from '../item-data.ts';
import { mcpResult } from '../mcp-result.ts';
import { portableJson, withoutPicture } from '../portable-json.ts';
import type { ReadItem } from './completed-item.ts';

/** What a tool row of a sub-agent's life is called, before the event: `sub_agent_started`. */
export const SUB_AGENT_ACTIVITY = 'sub_agent_';

const text = z.string().optional().catch(undefined);
const anything = z.unknown().optional();

export const workItems = {
  CommandExecution: (item) => {
    const command = commandExecution.parse(item);
    return commandContent({
      command: command.command,
      ...defined({
        cwd: command.cwd === undefined ? undefined : pathOfUri(command.cwd),
        exitCode: command.exit_code,
        output: command.aggregated_output,
        durationMs: command.duration,
      }),
      status: workStatus(command.status),
    });
  },
  FileChange: (item) => {
    const { changes, status, stderr } = fileChange.parse(item);
    const state = workStatus(status);
    return fileContent({
      changes: Object.entries(changes).map(([path, change]) => ({ path, ...change })),
      status: state,
      ...(state === 'completed' || !stderr ? {} : { error: stderr }),
    });
  },
  McpToolCall: (item) => {
    const call = mcpToolCall.parse(item);
    return toolContent({
      server: call.server,
      tool: call.tool,
      arguments: portableJson(call.arguments),
      ...(call.result == null ? {} : { result: mcpResult(call.result) }),
      ...(call.error == null ? {} : { error: messageOf(call.error) }),
      ...defined({ durationMs: call.duration }),
      status: workStatus(call.status),
    });
  },
  DynamicToolCall: (item) => {
    const call = dynamicToolCall.parse(item);
    return toolContent({
      tool: call.namespace === undefined ? call.tool : `${call.namespace}.${call.tool}`,
      arguments: portableJson(call.arguments),
      ...(call.content_items == null ? {} : { result: portableJson(call.content_items) }),
      ...defined({ durationMs: call.duration }),
      status: workStatus(call.success === false ? 'failed' : call.status),
    });
  },
  CollabAgentToolCall: (item) => {
    const call = collabToolCall.parse(item);
    return toolContent({
      tool: snakeCase(call.tool),
      arguments: portableJson(
        defined({ prompt: call.prompt, receiverThreadIds: call.receiver_thread_ids }),
      ),
      result: portableJson(call.agents_states ?? {}),
      status: workStatus(call.status),
    });
  },
  SubAgentActivity: (item) => {
    const activity = subAgentActivity.parse(item);
    return toolContent({
      tool: `${SUB_AGENT_ACTIVITY}${activity.kind}`,
      arguments: portableJson(
        defined({ threadId: activity.agent_thread_id, path: activity.agent_path }),
      ),
      status: 'completed',
    });
  },
  WebSearch: (item) => {
    const { query, action } = webSearch.parse(item);
    return searchContent({
      query,
      ...(action == null ? {} : { action: portableJson(action) }),
      status: 'completed',
    });
  },
  Extension: (item) => {
    const { kind, query, action, results } = extension.parse(item);
    if (query !== undefined) {
      const details = defined({ action: action == null ? undefined : portableJson(action) });
      return searchContent({ query, ...details, status: 'completed' });
    }
    const result = results == null ? {} : { result: portableJson(results) };
    return toolContent({
      tool: kind,
      arguments: portableJson(action ?? null),
      ...result,
      status: 'completed',
    });
  },
  ImageView: (item) => imageTool('view_image', item),
  ImageGeneration: (item) => imageTool('image_generation', item),
} satisfies Record<string, ReadItem>;

function imageTool(tool: string, item: unknown): ItemContent {
  const image = z.object({ path: text, status: text }).parse(item);
  const { type: _type, id: _id, status: _status, ...rest } = item as Record<string, unknown>;
  return toolContent({
    tool,
    arguments: portableJson(withoutPicture(rest)),
    status: workStatus(image.status),
  });
}

function messageOf(error: unknown): string {
  const parsed = z.object({ message: z.string() }).safeParse(error);
  if (parsed.success) return parsed.data.message;
  return typeof error === 'string' ? error : JSON.stringify(error);
}

/** `file://` URIs are what 0.148 and later write for a directory. */
function pathOfUri(cwd: string): string {
  if (!cwd.startsWith('file://')) return cwd;
  try {
    const path = decodeURIComponent(new URL(cwd).pathname);
    return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
  } catch {
    return cwd;
  }
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Rust's `Duration`, as whole milliseconds. */
const duration = z
  .object({ secs: z.number(), nanos: z.number() })
  .transform(({ secs, nanos }) => Math.round(secs * 1000 + nanos / 1e6))
  .optional()
  .catch(undefined);

const commandExecution = z.object({
  command: z.array(z.string()).or(z.string().transform((line) => [line])),
  cwd: text,
  status: text,
  exit_code: z.number().optional().catch(undefined),
  aggregated_output: text,
  duration,
});
/** Null prototype: a file may be called `__proto__`. */
const fileChanges = z
  .custom<Record<string, unknown>>((value) => typeof value === 'object' && value !== null)
  .transform((changes) => {
    const read: Record<string, Omit<FileChange, 'path'>> = Object.create(null) as Record<
      string,
      Omit<FileChange, 'path'>
    >;
    for (const [path, change] of Object.entries(changes)) read[path] = oneChange.parse(change);
    return read;
  });
const oneChange = z
  .object({
    type: z.enum(['add', 'update', 'delete']),
    content: text,
    unified_diff: text,
    move_path: text,
  })
  .transform(({ type, content, unified_diff: diff, move_path: movePath }) => ({
    kind: type,
    ...defined({ content, diff, movePath }),
  }));
const fileChange = z.object({ changes: fileChanges, status: text, stderr: text });
const mcpToolCall = z.object({
  server: z.string(),
  tool: z.string(),
  arguments: anything,
  result: anything,
  error: anything,
  status: text,
  duration,
});
const dynamicToolCall = z.object({
  tool: z.string(),
  namespace: text,
  arguments: anything,
  content_items: anything,
  success: z.boolean().optional().catch(undefined),
  status: text,
  duration,
});
const collabToolCall = z.object({
  tool: z.string(),
  prompt: text,
  receiver_thread_ids: z.array(z.string()).optional().catch(undefined),
  agents_states: anything,
  status: text,
});
const subAgentActivity = z.object({
  kind: z.string(),
  agent_thread_id: text,
  agent_path: text,
});
const webSearch = z.object({ query: z.string().catch(''), action: anything });
const extension = z.object({ kind: z.string(), query: text, action: anything, results: anything });
