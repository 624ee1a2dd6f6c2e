/**
 * What is known of an item when its file speaks of it again, as the data model has it: an
 * end takes the place of a beginning, and between two of a kind the one that says more
 * stands, at the time and under the turn of the first. Said here in words of its own, and
 * not by the code behind `messages:ingest`, because a verification checks that too. Pure.
 */
import { getConvexSize } from 'convex/values';
import type { JsonObject, ThreadItem } from '../../codex/thread-item.ts';

/** Null when the file has said it before. */
export function nextWord(known: ThreadItem, word: ThreadItem): ThreadItem | null {
  if (isEnded(known) && !isEnded(word)) return null;
  const ends = isEnded(word) && !isEnded(known);
  if (!ends && !saysMore(known, word)) return null;
  const next = withContent(known, word);
  if (!ends) return next;
  const { partial: _, ...ended } = next;
  const { turnId = known.turnId, itemId = known.itemId } = word;
  // The line that told of it first counts.
  const { ordinal = word.ordinal } = known;
  return {
    ...ended,
    ts: word.ts,
    ...(turnId === undefined ? {} : { turnId }),
    ...(itemId === undefined ? {} : { itemId }),
    ...(ordinal === undefined ? {} : { ordinal }),
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
