/** Whether the mirror equals the model; says what is still to come, and what may never be. */
import type { MessageRow } from '../subscriber.ts';
import type { ModelRow } from './line-book.ts';
import type { MirroredCursor, Mirror } from './mirror.ts';
import type { ModelFile, ModelFiles } from './model-files.ts';

/** Row ids by thread and key, of every row that was seen. */
export type SeenRows = Map<string, Map<string, { id: string; row: ModelRow }>>;

export interface Comparison {
  /** Not there yet. */
  missing: string[];
  /** Can never be right again. */
  wrong: string[];
}

/** Characters of a long text that its row holds at least. */
const LONG_TEXT_KEPT = 200_000;

export async function compareThread(
  mirror: Mirror,
  files: ModelFiles,
  seen: SeenRows,
  threadId: string,
): Promise<Comparison> {
  const rows = await mirror.rows(threadId);
  const must = mustBe(files, seen, threadId);
  const may = files.possible.get(threadId) ?? new Map<string, ModelRow>();
  const result: Comparison = { missing: [], wrong: [] };
  const found = new Map<string, { id: string; row: ModelRow }>();
  let last = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    const model = must.get(row.key) ?? may.get(row.key);
    if (model === undefined) {
      result.wrong.push(`${threadId}: a row that nobody wrote: ${show(row)}`);
      continue;
    }
    if (found.has(row.key)) result.wrong.push(`${threadId}: two rows of ${row.key}`);
    const difference = differenceOf(row, model);
    if (difference !== null) {
      result.wrong.push(`${threadId}: ${difference} differs: ${show(row)} for ${show(model)}`);
    }
    const before = seen.get(threadId)?.get(row.key)?.id;
    if (before !== undefined && before !== row._id) {
      result.wrong.push(`${threadId}: ${row.key} was ${before} and is ${row._id}`);
    }
    if (row.ts < last) result.wrong.push(`${threadId}: not in order: ${show(row)}`);
    last = row.ts;
    found.set(row.key, { id: row._id, row: model });
  }
  for (const [key, row] of must) {
    if (!found.has(key)) result.missing.push(`${threadId}: a row is missing: ${show(row)}`);
  }
  const count = (await mirror.thread(threadId))?.messageCount ?? 0;
  const messages = rows.filter(({ kind }) => kind === 'message').length;
  // Read one after the other: rows may have come in between.
  if (count !== messages) {
    result.missing.push(`${threadId}: messageCount is ${count} for ${messages} messages`);
  }
  if (result.missing.length + result.wrong.length === 0) seen.set(threadId, found);
  return result;
}

/** The cursors of all files that are followed, where they must stand. */
export function compareCursors(
  cursors: ReadonlyMap<string, MirroredCursor>,
  files: ModelFiles,
): string[] {
  return files.followed().flatMap((file) => {
    const { offset, quarantine } = files.expected(file);
    const cursor = cursors.get(file.path);
    if (cursor === undefined) return offset === 0 ? [] : [`no cursor for ${file.path}`];
    if (cursor.offset !== offset) {
      return [`the cursor of ${file.path} is at ${cursor.offset}, not ${offset}`];
    }
    const [is, should] = [cursor.quarantine, quarantine].map((lines) => placesOf(lines, file));
    return is === should ? [] : [`set aside in ${file.path}: ${is} instead of ${should}`];
  });
}

/** What threads say of their files: where one of them is, or that all are gone. */
export async function comparePlaces(mirror: Mirror, files: ModelFiles): Promise<string[]> {
  const present = byThread(files);
  const problems: string[] = [];
  const threadIds = [...new Set([...files.touched, ...present.keys()])];
  const threads = await Promise.all(threadIds.map((threadId) => mirror.thread(threadId)));
  for (const [index, threadId] of threadIds.entries()) {
    const thread = threads[index];
    const { rolloutPath } = thread ?? {};
    if (!thread || rolloutPath === undefined) continue;
    const here = present.get(threadId) ?? [];
    const isDeleted = thread.rolloutDeletedAt !== undefined;
    const isRight =
      here.length === 0
        ? isDeleted
        : !isDeleted &&
          here.some(({ path }) => path === rolloutPath) &&
          thread.archived === rolloutPath.startsWith(files.archive);
    if (isRight) continue;
    const is = JSON.stringify({ rolloutPath, archived: thread.archived, isDeleted });
    problems.push(`${threadId} says ${is}; it is at ${here.map(({ path }) => path).join(', ')}`);
  }
  return problems;
}

function byThread(files: ModelFiles): Map<string, ModelFile[]> {
  const threads = new Map<string, ModelFile[]>();
  for (const file of files.followed()) {
    const { threadId } = files.expected(file);
    threads.set(threadId, [...(threads.get(threadId) ?? []), file]);
  }
  return threads;
}

/** What the files hold now, and what was mirrored before. */
function mustBe(files: ModelFiles, seen: SeenRows, threadId: string): Map<string, ModelRow> {
  const must = new Map<string, ModelRow>();
  for (const [key, { row }] of seen.get(threadId) ?? []) must.set(key, row);
  for (const file of files.followed()) {
    const expected = files.expected(file);
    if (expected.threadId !== threadId) continue;
    for (const [key, row] of expected.rows) if (!must.has(key)) must.set(key, row);
  }
  return must;
}

function differenceOf(row: MessageRow, model: ModelRow): string | null {
  if (row.kind !== model.kind) return 'kind';
  if (row.role !== model.role) return 'role';
  // The same words said twice change places where a file is rewritten; their times do not.
  if (!model.isCounted && model.ts !== undefined && row.ts !== model.ts) return 'time';
  if (model.text === undefined || row.text === model.text) return null;
  const isBeginning =
    row.text !== undefined && row.text.length > LONG_TEXT_KEPT && model.text.startsWith(row.text);
  return isBeginning ? null : 'text';
}

/** Torn parts of one line that follow each other are set aside together or, of a long one, each. */
function placesOf(
  parts: readonly { offset: number; length: number }[],
  { content }: ModelFile,
): string {
  const places: { offset: number; end: number }[] = [];
  for (const { offset, length } of parts) {
    const last = places.at(-1);
    const isSameLine = last?.end === offset && content[offset - 1] !== 10;
    if (last !== undefined && isSameLine) last.end = offset + length;
    else places.push({ offset, end: offset + length });
  }
  return places.map(({ offset, end }) => `${offset}-${end}`).join(' ');
}

function show({ key, kind, text, ts }: { key: string; kind: string; text?: string; ts?: number }) {
  return JSON.stringify({ key, kind, text: text?.slice(0, 60), ts });
}
