/** One line of a session file as items, or as a line that is set aside: never an exception, never silence. */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { LineProblem, RolloutReader } from '../../codex/rollout/rollout-reader.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { QuarantinedLine } from '../../machines/protocol.ts';
import type { SplitLine } from './line-splitter.ts';

export interface LineResult {
  items: ThreadItem[];
  quarantine: QuarantinedLine[];
}

/** A byte order mark, which some editors put before the first line. */
const BYTE_ORDER_MARK = '\uFEFF';
/** How each line that Codex writes begins, since it wraps them. */
const LINE_START = '{"timestamp":';
/** Characters. A reason may quote what it complains about. */
const MAX_REASON = 300;

export function readLine(
  reader: RolloutReader,
  line: SplitLine,
  parserVersion: number,
): LineResult {
  const { offset, length, bytes } = line;
  const aside = (reason: string): LineResult => ({
    items: [],
    quarantine: [
      {
        offset,
        length,
        sha256: line.sha256 ?? sha256(bytes ?? Buffer.alloc(0)),
        reason: reason.slice(0, MAX_REASON),
        parserVersion,
      },
    ],
  });
  if (bytes === null) return aside(`a line of ${length} bytes is too long to be read whole`);
  if (!isUtf8(bytes)) return aside('not UTF-8');
  if (bytes.includes(0)) return aside('contains NUL bytes');
  const text = offset === 0 ? withoutByteOrderMark(bytes.toString()) : bytes.toString();
  if (text.trim() === '') return { items: [], quarantine: [] };

  const { items, problems } = push(reader, text, { offset, length });
  if (problems.length === 0) return { items, quarantine: [] };
  const broken = aside(problems.map(({ reason }) => reason).join('; '));
  const rest = items.length === 0 ? gluedLine(line, text) : null;
  if (rest === null) return { items, quarantine: broken.quarantine };
  const result = readLine(reader, rest, parserVersion);
  return { ...result, quarantine: [...broken.quarantine, ...result.quarantine] };
}

/**
 * After a failed write Codex opens the file again and repeats the line, so that a torn
 * line and a whole one can stand on one. Null when this is no such line.
 */
function gluedLine({ offset, length }: SplitLine, text: string): SplitLine | null {
  const start = text.lastIndexOf(LINE_START);
  if (start <= 0 || isJson(text)) return null;
  const bytes = Buffer.from(text.slice(start));
  return { offset: offset + length - 1 - bytes.length, length: bytes.length + 1, bytes };
}

function push(
  reader: RolloutReader,
  text: string,
  at: { offset: number; length: number },
): { items: ThreadItem[]; problems: Pick<LineProblem, 'reason'>[] } {
  try {
    return reader.push(text, at);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { items: [], problems: [{ reason: `the parser failed: ${reason}` }] };
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
