/**
 * Tool calls as the model makes them (`function_call`, `custom_tool_call`, …). Most
 * are followed by an item that says more; some never are: plans, patches that do not
 * apply, commands that were declined, tools that do not exist. Pure.
 */
import { z } from 'zod';
import {
  commandContent,
  fileContent,
  type ItemContent,
  searchContent,
  todoContent,
  toolContent,
} from './item-content.ts';
import type { TodoEntry } from './item-data.ts';
import { patchChanges } from './patch-text.ts';
import { portableJson, portableJsonText } from './portable-json.ts';

export interface ToolCall {
  name: string;
  namespace?: string;
  /** JSON text of a function call, or the free text of a custom tool call. */
  input: string;
}

/** What was called, in progress. Input that does not fit the tool is shown as a call of any tool. */
export function callContent(call: ToolCall): ItemContent {
  const name = call.name.replace(/^functions\./, '');
  return (
    commandCall(name, call.input) ??
    patchCall(name, call.input) ??
    planCall(name, call.input) ??
    anyCall(call)
  );
}

const execCommand = z.object({
  cmd: z.string(),
  workdir: z.string().optional().catch(undefined),
});
const shell = z.object({
  command: z.array(z.string()).or(z.string().transform((line) => [line])),
  workdir: z.string().optional().catch(undefined),
});
const plan = z.object({
  explanation: z.string().optional().catch(undefined),
  plan: z.array(
    z.object({
      step: z.string(),
      status: z.enum(['pending', 'in_progress', 'completed']).catch('pending'),
    }),
  ),
});

function commandCall(name: string, input: string): ItemContent | null {
  if (name === 'exec_command') {
    const call = fromJson(execCommand, input);
    return call && (shellPatch([call.cmd]) ?? runningCommand([call.cmd], call.workdir));
  }
  if (!['shell', 'shell_command', 'local_shell', 'container.exec'].includes(name)) return null;
  const call = fromJson(shell, input);
  if (!call) return null;
  return shellPatch(call.command) ?? runningCommand(call.command, call.workdir);
}

const HEREDOC_PATCH = /^\s*(?:cd [^\n;]+ && )?apply_patch\s*<</;

/** Many models call apply_patch as a command; the harness takes it aside and runs nothing. */
function shellPatch(command: string[]): ItemContent | null {
  const [program, patch] = command;
  if (program === 'apply_patch' && patch !== undefined) return patchCall(program, patch);
  const script = command.at(-1) ?? '';
  return HEREDOC_PATCH.test(script) ? patchCall('apply_patch', script) : null;
}

/** A `local_shell_call`, whose input is an object. */
export function localShellContent(action: unknown): ItemContent | null {
  const parsed = z
    .object({
      command: z.array(z.string()),
      working_directory: z.string().optional().catch(undefined),
    })
    .safeParse(action);
  return parsed.success ? runningCommand(parsed.data.command, parsed.data.working_directory) : null;
}

/** A lone script stands as it is: it is what a shell is given. */
function runningCommand(command: string[], cwd: string | undefined): ItemContent {
  const content = commandContent({
    command,
    ...(cwd === undefined ? {} : { cwd }),
    status: 'in_progress',
  });
  const [script = ''] = command;
  return command.length === 1 ? { ...content, text: script } : content;
}

function patchCall(name: string, input: string): ItemContent | null {
  if (name !== 'apply_patch') return null;
  const wrapped = fromJson(z.object({ input: z.string() }), input);
  const changes = patchChanges(wrapped?.input ?? input);
  return changes.length === 0 ? null : fileContent({ changes, status: 'in_progress' });
}

function planCall(name: string, input: string): ItemContent | null {
  if (name !== 'update_plan') return null;
  const call = fromJson(plan, input);
  if (!call) return null;
  const items = call.plan.map(({ step, status }): TodoEntry => ({ text: step, status }));
  const { explanation } = call;
  return todoContent({
    items,
    ...(explanation === undefined ? {} : { explanation }),
    status: 'in_progress',
  });
}

const MCP_PREFIX = 'mcp__';

function anyCall({ name, namespace, input }: ToolCall): ItemContent {
  const whole = namespace === undefined ? name : `${namespace}__${name}`;
  const callArguments = portableJsonText(input);
  if (whole.startsWith(MCP_PREFIX)) {
    const [server = '', ...tool] = whole.slice(MCP_PREFIX.length).split('__');
    return toolContent({
      server,
      // Some releases join namespace and name by four underscores.
      tool: tool.join('__').replace(/^_+/, ''),
      arguments: callArguments,
      status: 'in_progress',
    });
  }
  return toolContent({ tool: name, arguments: callArguments, status: 'in_progress' });
}

/** A `web_search_call`: it is written when the search is over. */
export function webSearchContent(action: unknown): ItemContent {
  const parsed = z
    .object({
      query: z.string().optional().catch(undefined),
      queries: z.array(z.string()).optional().catch(undefined),
      url: z.string().optional().catch(undefined),
    })
    .safeParse(action);
  const { query, queries, url } = parsed.success ? parsed.data : {};
  return searchContent({
    query: query ?? queries?.join(', ') ?? url ?? '',
    ...(action == null ? {} : { action: portableJson(action) }),
    status: 'completed',
  });
}

function fromJson<T extends z.ZodType>(schema: T, text: string): z.infer<T> | null {
  if (!text.trimStart().startsWith('{')) return null;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
