/** Where the projects of this machine say that secrets may stay (`redact: false`). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseProject, type Project } from '../../library/project.ts';
import { isLibraryId } from '../../library/library-id.ts';
import { LEGACY_NAME, withDirectory } from './project-files.ts';

/** Milliseconds after which the files are looked at again; each batch of rows asks. */
const FRESH = 1_000;

/**
 * Read from the files themselves, so that it is known before the first row is written. A file
 * that cannot be used says nothing: then secrets are taken out.
 */
export class UnredactedProjects {
  readonly #folder: string;
  readonly #now: () => number;
  #known: readonly string[] = [];
  #lookedAt = -Infinity;

  constructor(folder: string, now: () => number = () => performance.now()) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Their working directories. */
  directories(): readonly string[] {
    if (this.#now() - this.#lookedAt < FRESH) return this.#known;
    this.#lookedAt = this.#now();
    this.#known = [...this.#projects()]
      .filter(({ redact }) => redact === false)
      .map(({ workingDir }) => workingDir);
    return this.#known;
  }

  *#projects(): Generator<Project> {
    const done = new Set<string>();
    for (const name of namesIn(this.#folder)) {
      const id = LEGACY_NAME.exec(name)?.[1] ?? name;
      if (!isLibraryId(id) || done.has(id)) continue;
      done.add(id);
      const content =
        contentOf(join(this.#folder, id, 'PROJECT.md')) ??
        contentOf(join(this.#folder, `${id}.project.md`));
      const parsed = content === null ? null : withDirectory(parseProject(id, content));
      if (parsed?.ok) yield parsed.value;
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
