/**
 * Parses JSON from outside. A lone surrogate (`\ud800`), which JSON can spell but
 * UTF-8 cannot hold, becomes U+FFFD: it would break every store and socket behind.
 * Throws `SyntaxError`.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return MAY_HOLD_SURROGATE.test(text) ? wellFormed(value) : value;
}

const MAY_HOLD_SURROGATE = /\\ud[89a-f]/i;

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(wellFormed);
  const result: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) {
    // Not an assignment: `__proto__` must stay a key.
    Object.defineProperty(result, key.toWellFormed(), {
      value: wellFormed(entry),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return result;
}
