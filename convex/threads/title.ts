import type { Infer } from 'convex/values';
import type { titleSource } from '../validators.ts';

export type TitleSource = Infer<typeof titleSource>;

export const DEFAULT_TITLE = 'Untitled';

/** UTF-16 code units; a title is one line in a list, on a phone too. */
const MAX_TITLE_LENGTH = 200;

/** A higher rank is never overwritten by a lower one. */
const rank: Record<TitleSource, number> = { user: 3, agent: 2, prompt: 1, default: 0 };

/**
 * People and agents may change their mind. The prompt's title is that of the
 * *first* prompt, so a second one, of another session file of the thread, is no news.
 */
const renews: Record<TitleSource, boolean> = {
  user: true,
  agent: true,
  prompt: false,
  default: false,
};

/** The title fields to write, or nothing when the row's own title is as strong. */
export function strongerTitle(
  row: { titleSource: TitleSource },
  offered: { text: string; source: TitleSource } | undefined,
): { title: string; titleSource: TitleSource } | undefined {
  if (offered === undefined) return undefined;
  const title = oneLine(offered.text);
  const difference = rank[offered.source] - rank[row.titleSource];
  const wins = difference > 0 || (difference === 0 && renews[offered.source]);
  return wins && title !== '' ? { title, titleSource: offered.source } : undefined;
}

export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= MAX_TITLE_LENGTH
    ? line
    : line.slice(0, MAX_TITLE_LENGTH).replace(/[\uD800-\uDBFF]$/, '');
}
