/**
 * The parts of a `ThreadItem` that say what it is, made from what any of Codex's
 * formats says. Session file and stream both come through here, so that the two
 * sightings of an item agree. Pure.
 */
import { commandText } from './command-line.ts';
import type {
  CommandData,
  ErrorData,
  FileChange,
  FileData,
  MessageData,
  SearchData,
  TodoData,
  TodoEntry,
  ToolData,
  TurnData,
  WorkStatus,
} from './item-data.ts';
import type { ItemKind, JsonValue, ThreadItem } from './thread-item.ts';

export type ItemContent = Pick<ThreadItem, 'kind' | 'role' | 'text' | 'data'>;

export function messageContent(
  role: 'user' | 'assistant' | 'system',
  text: string,
  data: MessageData = {},
): ItemContent {
  return content('message', { role, text, data });
}

/** Context that the harness put in front of a prompt: kept, but nobody wrote it. */
export function prefaceContent(
  role: 'user' | 'assistant' | 'system',
  text: string,
  data: MessageData = {},
): ItemContent {
  return content('preface', { role, text, data });
}

export function reasonContent(text: string): ItemContent {
  return content('reason', { role: 'assistant', text, data: {} });
}

export function commandContent(data: CommandData): ItemContent {
  return content('cmd', { text: commandText(data.command), data });
}

export function fileContent(data: FileData): ItemContent {
  const text = data.changes.map(changeLine).join('\n');
  return content('file', { text, data });
}

export function toolContent(data: ToolData): ItemContent {
  const text = data.server === undefined ? data.tool : `${data.server}.${data.tool}`;
  return content('mcp', { text, data });
}

export function searchContent(data: SearchData): ItemContent {
  return content('search', { text: data.query, data });
}

export function todoContent(data: TodoData): ItemContent {
  const text = data.items.map(todoLine).join('\n');
  return content('todo', { text, data });
}

export function turnContent(data: TurnData): ItemContent {
  return content('turn', { data });
}

export function errorContent(text: string, data: ErrorData): ItemContent {
  return content('error', { text, data });
}

/** The end of work that nobody saw: its process is gone. */
export function interrupted(item: ThreadItem): ThreadItem {
  const { partial, ...rest } = item;
  if (partial && SPOKEN.has(item.kind))
    return { ...rest, data: { ...item.data, interrupted: true } };
  if (item.data?.['status'] !== 'in_progress') return rest;
  const reason = item.kind === 'turn' ? { reason: 'process_ended' } : {};
  return { ...rest, data: { ...item.data, status: 'interrupted', ...reason } };
}

const SPOKEN: ReadonlySet<ItemKind> = new Set(['message', 'reason']);

/** Codex's words for how work went, from all its formats, as ours. */
export function workStatus(status: string | null | undefined): WorkStatus {
  switch (status) {
    case 'in_progress':
    case 'inProgress':
    case 'running':
      return 'in_progress';
    case 'failed':
    case 'error':
      return 'failed';
    case 'declined':
      return 'declined';
    case 'interrupted':
    case 'cancelled':
      return 'interrupted';
    default:
      return 'completed';
  }
}

function content(
  kind: ItemKind,
  { role, text, data }: { role?: 'user' | 'assistant' | 'system'; text?: string; data: object },
): ItemContent {
  const result: ItemContent = { kind };
  if (role) result.role = role;
  if (text !== undefined) result.text = text;
  const present = Object.entries(data).filter(([, value]) => value !== undefined);
  // The shapes of item-data.ts hold JSON only.
  if (present.length > 0) result.data = Object.fromEntries<JsonValue>(present);
  return result;
}

function changeLine({ kind, path, movePath }: FileChange): string {
  return movePath === undefined ? `${kind} ${path}` : `${kind} ${path} -> ${movePath}`;
}

function todoLine({ text, status }: TodoEntry): string {
  return `- [${status === 'completed' ? 'x' : ' '}] ${text}`;
}
