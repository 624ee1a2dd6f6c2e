/** What two sightings of one item, in the stream and in the file, have in common. Pure. */
import type { JsonValue, ThreadItem } from './thread-item.ts';

/** Kinds that the stream of a run shows, and the file too. */
const STREAMED_KINDS = new Set<ThreadItem['kind']>([
  'message',
  'reason',
  'cmd',
  'file',
  'search',
  'mcp',
  'todo',
  'turn',
  'error',
]);

/** Prompts and what Codex itself notes are in the file only. */
export function mayBeStreamed(item: ThreadItem): boolean {
  return STREAMED_KINDS.has(item.kind) && (item.kind !== 'message' || item.role === 'assistant');
}

/** Equal for both sightings, from the first moment of the item to its end. */
export function signature(item: ThreadItem): string {
  const { kind, text = '', data = {} } = item;
  switch (kind) {
    // One at a time, and its text is not known before its end.
    case 'turn':
    case 'todo':
    case 'search':
      return kind;
    case 'file':
      return `file ${changedFiles(data['changes'])}`;
    case 'mcp':
      // Codex describes calls of its own tools in other words in the file.
      return data['server'] === undefined
        ? `mcp ${text}`
        : `mcp ${text} ${canonical(data['arguments'] ?? null)}`;
    default:
      return `${kind} ${text.replaceAll(/\s+/g, ' ').trim()}`;
  }
}

/** How it ended: tells apart what began alike, such as the same command run twice at once. */
export function outcomesAgree(left: ThreadItem, right: ThreadItem): boolean {
  switch (left.kind) {
    case 'search':
      return left.itemId === right.itemId || left.text === right.text;
    case 'cmd':
      return outputsAgree(left.data?.['output'], right.data?.['output']);
    case 'mcp':
      return canonical(left.data?.['result'] ?? null) === canonical(right.data?.['result'] ?? null);
    default:
      return true;
  }
}

/** The file has at most 64 KiB of an output, with a marker in its middle. */
const WHOLE_OUTPUT_CHARACTERS = 16 * 1024;
const COMPARED_CHARACTERS = 1024;

function outputsAgree(left: JsonValue = '', right: JsonValue = ''): boolean {
  if (left === right) return true;
  if (typeof left !== 'string' || typeof right !== 'string') return false;
  if (Math.max(left.length, right.length) < WHOLE_OUTPUT_CHARACTERS) return false;
  return left.slice(0, COMPARED_CHARACTERS) === right.slice(0, COMPARED_CHARACTERS);
}

/** Names only: a patch has relative paths, its outcome absolute ones. */
function changedFiles(changes: JsonValue = []): string {
  if (!Array.isArray(changes)) return '';
  const names = changes.map((change) => {
    if (typeof change !== 'object' || change === null || Array.isArray(change)) return '';
    const { kind, path } = change;
    return JSON.stringify([kind, typeof path === 'string' ? path.replace(/^.*[\\/]/s, '') : null]);
  });
  return JSON.stringify(names.sort());
}

/** The two sides may order keys in their own ways. */
function canonical(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`);
  return `{${fields.join()}}`;
}
