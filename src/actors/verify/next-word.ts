/**
 * What is known of an item when its file speaks of it again, as the data model has it: an
 * end takes the place of a beginning, and a later end that of an earlier one. Of the same
 * end the one that says more stands. Its place is that of the first line that gave one. Said here in words of its own, and
 * not by the code behind `messages:ingest`, because a verification checks that too. Pure.
 */
import { getConvexSize } from 'convex/values';
import type { JsonObject, ThreadItem } from '../../codex/thread-item.ts';

/** Null when the file has said it before. */
export function nextWord(known: ThreadItem, word: ThreadItem): ThreadItem | null {
  const place = placeOf(known, word);
  const next = spokenOver(known, word);
  const isPlaced = place.ordinal !== known.ordinal || place.line !== known.line;
  if (next !== null) return { ...next, ...place };
  return isPlaced ? { ...known, ...place } : null;
}

function spokenOver(known: ThreadItem, word: ThreadItem): ThreadItem | null {
  if (isEnded(known) && !isEnded(word)) return null;
  if (isEnded(word) && !isEnded(known)) return asEnded(withContent(known, word), word);
  const { revision: before = 0 } = known;
  const { revision = 0 } = word;
  if (revision > before) return revised(known, word);
  return revision === before && saysMore(known, word) ? withContent(known, word) : null;
}

function asEnded(known: ThreadItem, word: ThreadItem): ThreadItem {
  const { partial: _p, revision: _r, ...ended } = known;
  const { ts, turnId = known.turnId, itemId = known.itemId, revision } = word;
  return {
    ...ended,
    ts,
    ...(turnId === undefined ? {} : { turnId }),
    ...(itemId === undefined ? {} : { itemId }),
    ...(revision === undefined ? {} : { revision }),
  };
}

/** All that it says, also where that is less. */
function revised(known: ThreadItem, { text, data, redactions, revision = 0 }: ThreadItem) {
  const { redactions: _, ...rest } = known;
  return {
    ...rest,
    ...(text === undefined ? {} : { text }),
    ...(data === undefined ? {} : { data }),
    ...(redactions === undefined ? {} : { redactions }),
    revision,
  };
}

function placeOf(known: ThreadItem, word: ThreadItem): Pick<ThreadItem, 'ordinal' | 'line'> {
  const { ordinal = word.ordinal } = known;
  // Where Codex numbers a line, there is no need to count it.
  const line = known.line ?? (known.ordinal === undefined ? word.line : undefined);
  return {
    ...(ordinal === undefined ? {} : { ordinal }),
    ...(line === undefined ? {} : { line }),
  };
}

/** No more of it is to come. */
export function isEnded({ partial, data }: Pick<ThreadItem, 'partial' | 'data'>): boolean {
  return partial !== true && data?.['status'] !== 'in_progress';
}

/** A text that only ends early, and an output that is shorter, are no news. */
function withContent(known: ThreadItem, { text, data, redactions = 0 }: ThreadItem): ThreadItem {
  const { text: knownText = '', redactions: before = 0 } = known;
  const [wanted = '', output] = [text, known.data?.['output']];
  const keepsText = knownText.length > wanted.length && knownText.startsWith(wanted);
  const keepsOutput = hasLongerOutput(output, data);
  const next: ThreadItem = { ...known };
  if (text !== undefined && !keepsText) next.text = text;
  if (data !== undefined) next.data = keepsOutput ? { ...data, output: output ?? null } : data;
  // What stays may hold more of them than what comes.
  const secrets = keepsText || keepsOutput ? Math.max(before, redactions) : redactions;
  delete next.redactions;
  if (secrets > 0) next.redactions = secrets;
  return next;
}

function saysMore(known: ThreadItem, word: ThreadItem): boolean {
  return (
    (word.text ?? '').length > (known.text ?? '').length ||
    getConvexSize(word.data) > getConvexSize(known.data)
  );
}

function hasLongerOutput(output: unknown, data: JsonObject | undefined): boolean {
  if (typeof output !== 'string') return false;
  const fresh = data?.['output'];
  return typeof fresh !== 'string' || output.length > fresh.length;
}
