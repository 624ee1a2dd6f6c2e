/**
 * The terms of a text, in order: runs of letters and digits in lower case, without those that
 * are too long. No stemming, no stop words. Convex's own rules, which are those of Tantivy's
 * simple tokenizer, long-word and lower-case filters.
 */
export function tokens(text: string): string[] {
  if (ascii.test(text)) return (text.toLowerCase().match(asciiWord) ?? []).filter(isShort);
  return (text.match(word) ?? []).filter(isShort).map(lowerCase);
}

/**
 * A text in which FTS5's tokenizer `ascii` finds exactly the `tokens` of the given one. That
 * tokenizer takes ASCII apart as we do, lower case included, many times faster; so only what
 * is not ASCII is cut here, and what is too long left out.
 */
export function indexedText(text: string): string {
  const kept = hasLongWord(text) ? text.replace(longAsciiWord, ' ') : text;
  let result = '';
  let from = 0;
  for (let at = nextOther(kept, from); at !== -1; at = nextOther(kept, from)) {
    // With all of the letters and digits around it: SQLite takes whatever is not ASCII for a letter.
    let start = at;
    while (start > from && isAsciiWord(kept, start - 1)) start -= 1;
    let end = at + 1;
    while (isAsciiWord(kept, end) || kept.charCodeAt(end) > 0x7f) end += 1;
    result += `${kept.slice(from, start)} ${tokens(kept.slice(start, end)).join(' ')} `;
    from = end;
  }
  return from === 0 ? kept : result + kept.slice(from);
}

/** Where something stands that SQLite does not take as we do, from `from` on; -1: nowhere. */
function nextOther(text: string, from: number): number {
  other.lastIndex = from;
  return other.test(text) ? other.lastIndex - 1 : -1;
}

/** To be raised with every change of `tokens` or `indexedText`. */
export const tokenizerVersion = 1;

/** What Rust's `char::is_alphanumeric` is true for. */
const word = /[\p{Alphabetic}\p{N}]+/gu;
/** The same in most texts, and twice as fast. */
const asciiWord = /[0-9a-z]+/g;
// oxlint-disable-next-line no-control-regex -- all of ASCII is meant
const ascii = /^[\0-\x7f]*$/;

/** One of them; NUL would end the text. */
// oxlint-disable-next-line no-control-regex -- as said
const other = /[^\x01-\x7f]/g;
/** Not in a run with characters that are not ASCII, and may take more bytes. */
const longAsciiWord = /(?<![0-9A-Za-z\x80-\uffff])[0-9A-Za-z]{32,}(?![0-9A-Za-z\x80-\uffff])/g;
/** UTF-8 bytes from which on a word is left out. */
const longWordBytes = 32;

/** A word that is too long has a letter at one of these places; no need to look at all of them. */
function hasLongWord(text: string): boolean {
  for (let at = longWordBytes - 1; at < text.length; at += longWordBytes) {
    if (!isAsciiWord(text, at)) continue;
    let start = at;
    while (start > 0 && isAsciiWord(text, start - 1)) start -= 1;
    let end = at + 1;
    while (isAsciiWord(text, end)) end += 1;
    if (end - start >= longWordBytes) return true;
  }
  return false;
}

function isAsciiWord(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  // Bit 5 tells lower case from upper case.
  return (code >= 0x30 && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a);
}

function isShort(found: string): boolean {
  // A UTF-16 unit takes at most three bytes, so most words need no count.
  return found.length * 3 < longWordBytes || Buffer.byteLength(found) < longWordBytes;
}

/** No character's form depends on its neighbours, as that of the Greek sigma otherwise would. */
function lowerCase(found: string): string {
  if (!found.includes('Σ')) return found.toLowerCase();
  return Array.from(found, (character) => character.toLowerCase()).join('');
}
