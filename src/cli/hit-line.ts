/** The line of a text in which the words of a search stand, cut to what a terminal shows. Pure. */
import { printable } from './printable.ts';

export interface HitLine {
  before: string;
  /** Empty where no word stands in the text as it was typed: the search may know its beginning alone. */
  hit: string;
  after: string;
}

/** Characters on each side of the hit. */
const AROUND = 60;

/** The line with most of the words, from the first of them on. */
export function hitIn(text: string, words: string): HitLine {
  const pattern = patternOf(words);
  const best = pattern === null ? undefined : bestLine(text, pattern);
  if (pattern === null || best === undefined) {
    const [first = ''] = text.split('\n', 1);
    return { before: '', hit: '', after: printable(shortened(first, 2 * AROUND)) };
  }
  const at = best.search(pattern);
  const [hit = ''] = pattern.exec(best) ?? [];
  const before = best.slice(0, at).trimStart();
  const cut = before.length > AROUND ? `…${before.slice(-AROUND)}` : before;
  return {
    before: printable(cut),
    hit: printable(hit),
    after: printable(shortened(best.slice(at + hit.length), AROUND)),
  };
}

/** Several words that stand one after another are one hit. */
function patternOf(words: string): RegExp | null {
  const parts = words
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  if (parts.length === 0) return null;
  const any = `(?:${parts.join('|')})`;
  return new RegExp(String.raw`(?<![\p{L}\p{N}])${any}(?:[^\p{L}\p{N}\n]{1,3}${any})*`, 'iu');
}

function bestLine(text: string, pattern: RegExp): string | undefined {
  let best: { line: string; length: number } | undefined;
  for (const line of text.split(/\r?\n/)) {
    const length = pattern.exec(line)?.[0].length ?? 0;
    if (length > (best?.length ?? 0)) best = { line, length };
  }
  return best?.line;
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
