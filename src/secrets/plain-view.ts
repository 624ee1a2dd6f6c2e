/**
 * A text as the rules shall see it: what is no word of it is blank. A secret behind
 * `\n` in JSON, behind a colour of a terminal or behind `%20` in an address begins a
 * word, though a letter stands before it. Every character keeps its place. Pure.
 */
const NO_WORD = new RegExp(
  [
    // Escapes of JSON and of shells, also within another JSON; a colour may follow.
    String.raw`\\+(?:u00[01][0-9a-fA-F]|x1[bB]|033|e)\[[\d;]*m`,
    String.raw`\\+(?:u[0-9a-fA-F]{4}|[nrtbf])`,
    // Colours themselves.
    String.raw`\u001b\[[\d;?]*[A-Za-z]`,
    // Addresses.
    String.raw`%[0-9A-Fa-f]{2}(?=[A-Za-z0-9])`,
    // What has been redacted before.
    String.raw`\[redacted: [a-z0-9-]+\]`,
  ].join('|'),
  'g',
);

export function plainView(text: string): string {
  return text.replace(NO_WORD, (match) => ' '.repeat(match.length));
}
