/** JSON text with sorted keys: equal values have equal text. The value comes from JSON. */
export function canonicalJson(value: unknown, levels = mostLevels): string {
  // Whoever takes it for a Convex value will refuse it; until then it must not use up the stack.
  if (levels === 0) return JSON.stringify(value);
  const inner = (field: unknown): string => canonicalJson(field, levels - 1);
  if (Array.isArray(value)) return `[${value.map(inner).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${inner(field)}`);
  return `{${fields.join(',')}}`;
}

/** More than Convex values may be nested: 64, and the list of arguments around them. */
const mostLevels = 100;
