/** The `PROJECT.md` files of the OpenAgents home. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { LibraryProblem } from '../../control/library.ts';
import { isLibraryId } from '../../library/library-id.ts';
import { parseProject, type Project } from '../../library/project.ts';
import { namesIn } from './list-folders.ts';
import { ParsedFiles } from './parsed-file.ts';

export interface ProjectsReading {
  /** With an absolute `workingDir`; of a file that is invalid now, as it last was. */
  projects: Project[];
  problems: LibraryProblem[];
  /** Of every file that is there, whether it can be used or not. */
  ids: Set<string>;
}

/** In the OpenAgents home. */
export function projectsFolder(home: string): string {
  return join(home, 'projects');
}

/** What an older release called the file. */
export const LEGACY_NAME = /^(.+)\.project\.md$/;

export class ProjectFiles {
  readonly folder: string;
  readonly #files = new ParsedFiles<Project>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Rejects with `library_unreadable` when the folder cannot be listed. */
  async read(): Promise<ProjectsReading> {
    const reading: ProjectsReading = { projects: [], problems: [], ids: new Set() };
    const paths = new Set<string>();
    for (const name of await namesIn(this.folder)) {
      const id = LEGACY_NAME.exec(name)?.[1] ?? name;
      if (!isLibraryId(id) || reading.ids.has(id)) continue;
      const found = await this.#readOne(id);
      if (found === null) continue;
      reading.ids.add(id);
      paths.add(found.path);
      reading.problems.push(...found.problems);
      if (found.good !== null) reading.projects.push(found.good);
    }
    this.#files.retain(paths);
    return reading;
  }

  /** Where a project is written: the file that it has, else a new folder. */
  async pathOf(id: string): Promise<{ path: string; exists: boolean }> {
    const found = await this.#readOne(id);
    const path = found?.path ?? join(this.folder, id, 'PROJECT.md');
    return { path, exists: found !== null };
  }

  /** The folder form counts where both are there. */
  async #readOne(id: string) {
    for (const path of [
      join(this.folder, id, 'PROJECT.md'),
      join(this.folder, `${id}.project.md`),
    ]) {
      const found = await this.#files.read(path, (content) =>
        withDirectory(parseProject(id, content)),
      );
      if (found !== null) return { path, ...found };
    }
    return null;
  }
}

/** The working directory made absolute. */
export function withDirectory(
  parsed: ReturnType<typeof parseProject>,
): ReturnType<typeof parseProject> {
  if (!parsed.ok) return parsed;
  const workingDir = absoluteDirectory(parsed.value.workingDir);
  return { ok: true, value: { ...parsed.value, workingDir } };
}

/** `~` is the home of the user. */
export function absoluteDirectory(workingDir: string): string {
  return resolve(workingDir.replace(/^~(?=$|[\\/])/, homedir()));
}
