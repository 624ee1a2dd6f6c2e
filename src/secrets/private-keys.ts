/**
 * Private keys in their text form (RFC 7468, OpenSSH, PGP), whole or what is left of
 * one: with line numbers, diff signs or escapes between its lines, without its end,
 * or without its beginning. Pure.
 */
import type { Secret } from './find-secrets.ts';

const KIND = 'private-key';
const NAME = '(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----';
/** Between two lines: blanks, quotes, a diff's sign, the number that a pager puts there. */
const GAP = String.raw`[\s"'+,|>:.\\-]{0,24}(?:\d{1,6}[\s:|.-]{1,8})?`;
/** `Proc-Type: 4,ENCRYPTED` and its like. */
const HEADERS = String.raw`(?:${GAP}[A-Z][A-Za-z-]{3,20}: [^\n]{0,80}?[\n ]){0,4}`;
const LINE = '[A-Za-z0-9+/=]{32,}';
/** The end of the last line, and not the word that follows a key without an end. */
const SHORT = '[A-Za-z0-9+/=]{1,76}(?![A-Za-z0-9])';
const LAST_LINE = `(?:${SHORT}(?=${GAP}-----END|\\s*$|…)|(?=[A-Za-z+/=]*\\d)${SHORT})`;

const FROM_BEGIN = new RegExp(
  `-----BEGIN ${NAME}${HEADERS}` +
    `(?:(?:${GAP}${LINE})+(?:${GAP}${LAST_LINE})?(?:${GAP}-----END ${NAME})?` +
    `|${GAP}[A-Za-z0-9+/=]{8,31}(?=\\s*$|…))`,
  'g',
);
const END = new RegExp(`-----END ${NAME}`, 'g');
/** Characters before an END: an RSA key of 16,384 bits has some 12,800. */
const LONGEST_KEY = 16 * 1024;
const UP_TO_END = new RegExp(`^${LINE}(?:${GAP}${LINE})*(?:${GAP}${SHORT})?${GAP}$`);

export function privateKeys(view: string): Secret[] {
  const secrets: Secret[] = [];
  for (const match of view.matchAll(FROM_BEGIN)) {
    secrets.push({ kind: KIND, start: match.index, end: match.index + match[0].length });
  }
  for (const match of view.matchAll(END)) {
    const end = match.index + match[0].length;
    if (secrets.some((known) => known.start < match.index && end <= known.end)) continue;
    const start = startOfRest(view, match.index);
    if (start < match.index) secrets.push({ kind: KIND, start, end });
  }
  return secrets;
}

/** Where the lines begin that stand before an END without its BEGIN. */
function startOfRest(view: string, end: number): number {
  const earliest = Math.max(0, end - LONGEST_KEY);
  const lines = view.slice(earliest, end).matchAll(/[A-Za-z0-9+/=]{32,}/g);
  for (const { index } of lines) {
    if (UP_TO_END.test(view.slice(earliest + index, end))) return earliest + index;
  }
  return end;
}
