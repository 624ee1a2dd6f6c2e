/** Small text files that are read again only when they changed. */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { LibraryProblem } from '../../control/library.ts';
import type { Parsed } from '../../library/front-matter.ts';

export interface ParsedFile<Value> {
  /** What the file said when it could last be used; null when it never could. */
  good: Value | null;
  problems: LibraryProblem[];
}

interface Kept<Value> extends ParsedFile<Value> {
  /** Of the file, when it was read. */
  facts: string;
}

/** Bytes; nobody writes more by hand, and all of it is held at once. */
const MAX_LENGTH = 1_024 * 1_024;

/** A pipe must not block whoever opens it; Windows has no such flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export class ParsedFiles<Value> {
  #kept = new Map<string, Kept<Value>>();

  /** Null when there is no such file. */
  async read(
    path: string,
    parse: (content: string) => Parsed<Value>,
  ): Promise<ParsedFile<Value> | null> {
    const before = this.#kept.get(path);
    try {
      const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
      const facts = [dev, ino, size, mtimeNs].join(' ');
      if (before?.facts === facts) return before;
      const parsed = parse(await content(path));
      const kept: Kept<Value> = parsed.ok
        ? { facts, good: parsed.value, problems: [] }
        : {
            facts,
            good: before?.good ?? null,
            problems: parsed.problems.map((problem) => ({ path, ...problem })),
          };
      this.#kept.set(path, kept);
      return kept;
    } catch (thrown) {
      if (isMissing(thrown)) return null;
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      return { good: before?.good ?? null, problems: [{ path, line: 1, column: 1, message }] };
    }
  }

  /** Forgets the files that are not among these. */
  retain(paths: ReadonlySet<string>): void {
    for (const path of this.#kept.keys()) if (!paths.has(path)) this.#kept.delete(path);
  }
}

async function content(path: string): Promise<string> {
  const file = await open(path, OPEN_FLAGS);
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw new Error('this is not a regular file');
    if (facts.size > MAX_LENGTH) throw new Error(`the file is longer than ${MAX_LENGTH} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile());
  } finally {
    await file.close();
  }
}

export function isMissing(thrown: unknown): boolean {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
