/**
 * The terms of a text, in order: runs of letters and digits in lower case, without those that
 * are too long. No stemming, no stop words. Convex's own rules, which are those of Tantivy's
 * simple tokenizer, long-word and lower-case filters.
 */
export function tokens(text: string): string[] {
  if (ascii.test(text)) return (text.toLowerCase().match(asciiWord) ?? []).filter(isShort);
  return (text.match(word) ?? []).filter(isShort).map(lowerCase);
}

/** To be raised with every change of `tokens`. */
export const tokenizerVersion = 1;

/** What Rust's `char::is_alphanumeric` is true for. */
const word = /[\p{Alphabetic}\p{N}]+/gu;
/** The same in most texts, and twice as fast. */
const asciiWord = /[0-9a-z]+/g;
// oxlint-disable-next-line no-control-regex -- all of ASCII is meant
const ascii = /^[\0-\x7f]*$/;

/** UTF-8 bytes from which on a word is left out. */
const longWordBytes = 32;

function isShort(found: string): boolean {
  // A UTF-16 unit takes at most three bytes, so most words need no count.
  return found.length * 3 < longWordBytes || Buffer.byteLength(found) < longWordBytes;
}

/** No character's form depends on its neighbours, as that of the Greek sigma otherwise would. */
function lowerCase(found: string): string {
  if (!found.includes('Σ')) return found.toLowerCase();
  return Array.from(found, (character) => character.toLowerCase()).join('');
}
