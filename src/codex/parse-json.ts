/**
 * Parses JSON from outside. A lone surrogate (`\ud800`), which JSON can spell but
 * UTF-8 cannot hold, becomes U+FFFD: it would break every store and socket behind.
 * Throws `SyntaxError`.
 */
export function parseJson(text: string): unknown {
  return JSON.parse(MAY_HOLD_SURROGATE.test(text) ? wellFormed(text) : text);
}

const MAY_HOLD_SURROGATE = /\\ud[89a-f]/i;
/** Each escape, so that a backslash that is escaped itself is passed over; pairs of surrogates as one. */
const ESCAPE =
  /\\(?:u[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[c-fC-F][0-9a-fA-F]{2})|[^])/g;

/** In the text, not in the value: that may be nested deeper than any recursion goes. */
function wellFormed(text: string): string {
  return text.replaceAll(ESCAPE, (escape, second?: string) =>
    escape.length > 2 && second === undefined ? String.raw`\ufffd` : escape,
  );
}
