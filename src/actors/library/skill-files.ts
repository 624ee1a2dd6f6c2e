/** The `SKILL.md` files of the user, of the package, and of each project. */
import { join } from 'node:path';
import type { LibraryProblem } from '../../control/library.ts';
import { isLibraryId } from '../../library/library-id.ts';
import { parseSkill, type Skill } from '../../library/skill.ts';
import type { ScopedSkill } from '../../library/skill-scopes.ts';
import { namesIn } from './list-folders.ts';
import { ParsedFiles } from './parsed-file.ts';
import type { ProjectFiles } from './project-files.ts';

export interface SkillsReading {
  skills: ScopedSkill[];
  problems: LibraryProblem[];
  /** Keys (`skillKey`) of every file that is there, whether it can be used or not. */
  keys: Set<string>;
  /** Directories of projects, whose `skills` folders may come later. */
  workingDirs: string[];
}

type Scope = Pick<ScopedSkill, 'source' | 'projectId'> & { folder: string };

export class SkillFiles {
  readonly folder: string;
  readonly registryFolder: string;
  readonly #projects: ProjectFiles;
  readonly #files = new ParsedFiles<Skill>();

  constructor(folder: string, registryFolder: string, projects: ProjectFiles) {
    this.folder = folder;
    this.registryFolder = registryFolder;
    this.#projects = projects;
  }

  /** Rejects with `library_unreadable` when one of the folders cannot be listed. */
  async read(): Promise<SkillsReading> {
    const { projects } = await this.#projects.read();
    const reading: SkillsReading = {
      skills: [],
      problems: [],
      keys: new Set(),
      workingDirs: [...new Set(projects.map(({ workingDir }) => workingDir))],
    };
    const paths = new Set<string>();
    const scopes: Scope[] = [
      { source: 'user', folder: this.folder },
      { source: 'registry', folder: this.registryFolder },
      ...projects.map(({ id, workingDir }) => ({
        source: 'project' as const,
        projectId: id,
        folder: join(workingDir, 'skills'),
      })),
    ];
    for (const scope of scopes) await this.#readScope(scope, reading, paths);
    this.#files.retain(paths);
    return reading;
  }

  async #readScope(
    { source, projectId, folder }: Scope,
    reading: SkillsReading,
    paths: Set<string>,
  ): Promise<void> {
    const origin = { source, ...(projectId === undefined ? {} : { projectId }) };
    for (const skillId of (await namesIn(folder)).filter(isLibraryId)) {
      const path = join(folder, skillId, 'SKILL.md');
      const found = await this.#files.read(path, (content) => parseSkill(skillId, content));
      if (found === null) continue;
      paths.add(path);
      reading.keys.add(skillKey({ ...origin, skillId }));
      reading.problems.push(...found.problems);
      if (found.good !== null) reading.skills.push({ ...found.good, ...origin, path });
    }
  }
}

/** Unique among the skills of a machine. */
export function skillKey({
  source,
  projectId,
  skillId,
}: Pick<ScopedSkill, 'source' | 'projectId' | 'skillId'>): string {
  return JSON.stringify([source, projectId ?? null, skillId]);
}
