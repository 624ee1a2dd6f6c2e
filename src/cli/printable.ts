/** Text of sessions and names of files may hold whatever a terminal obeys. */
import { stripVTControlCharacters } from 'node:util';

/** In one line. */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

/** As it was written, in as many lines: of what cannot be seen, that which joins emoji stays. */
export function printableText(text: string): string {
  return stripVTControlCharacters(text)
    .toWellFormed()
    .replaceAll(/(?![\n\t])\p{Cc}|[\u202A-\u202E\u2066-\u2069]/gu, '');
}
