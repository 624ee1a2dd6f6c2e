import type { Value } from 'convex/values';
import type { DocValue } from './doc.ts';

/** A field that an index looks at. */
export interface IndexField {
  name: string;
  path: string[];
}

/** `name` may lead into objects: `author.name`. */
export function indexField(name: string): IndexField {
  return { name, path: name.split('.') };
}

/** The value that an index sees; undefined when there is none. */
export function valueAt(document: DocValue, path: readonly string[]): Value | undefined {
  let at: Value | undefined = document;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined;
    // An ArrayBuffer has no own field of any name, so it needs no case of its own.
    at = Object.hasOwn(at, name) ? (at as DocValue)[name] : undefined;
  }
  return at;
}
