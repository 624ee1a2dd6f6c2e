/** The fields that are there: neither undefined nor null. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const present = Object.entries(fields).filter(([, value]) => value != null);
  // Only keys of T, with the nullish values gone.
  return Object.fromEntries(present) as { [K in keyof T]?: NonNullable<T[K]> };
}
