/** `project.save` and `project.delete`: on disk when they resolve; the mirror follows from there. */
import { readFile, rm, rmdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { ProjectItem } from '../../control/library.ts';
import { BridgeError } from '../../errors.ts';
import { libraryId } from '../../library/library-id.ts';
import { projectFields } from '../../library/project.ts';
import { projectText } from '../../library/project-text.ts';
import { replaceFile } from '../replace-file.ts';
import { isAllowed } from '../within.ts';
import { absoluteDirectory, type ProjectFiles } from './project-files.ts';

/**
 * Rejects with `project_invalid` when the fields are not those of a project, or the file that
 * is there cannot be read: then it is left as it is; with `working_directory_refused`.
 */
export async function saveProject(
  files: ProjectFiles,
  project: ProjectItem,
  runRoots: readonly string[],
): Promise<void> {
  requireId(project.id);
  const fields = projectFields.safeParse(project);
  if (!fields.success) {
    const [issue] = fields.error.issues;
    throw new BridgeError('project_invalid', `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const directory = absoluteDirectory(fields.data.workingDir);
  if (!isAllowed(directory, runRoots)) {
    throw new BridgeError('working_directory_refused', directory);
  }
  const { path, exists } = await files.pathOf(project.id);
  const text = projectText(exists ? await readFile(path, 'utf8') : null, fields.data);
  if (!text.ok) {
    const [problem] = text.problems;
    throw new BridgeError(
      'project_invalid',
      `${path}:${problem?.line}: ${problem?.message}; repair the file first, it is left as it is`,
    );
  }
  await replaceFile(path, text.value);
}

/** The file goes, and its folder when nothing else is in it. Rejects with `project_unknown`. */
export async function deleteProject(files: ProjectFiles, id: string): Promise<void> {
  requireId(id);
  const { path, exists } = await files.pathOf(id);
  if (!exists) throw new BridgeError('project_unknown', id);
  await rm(path);
  if (basename(dirname(path)) === id) await rmdir(dirname(path)).catch(() => {});
}

function requireId(id: string): void {
  const parsed = libraryId.safeParse(id);
  if (parsed.success) return;
  throw new BridgeError('project_invalid', `id: ${parsed.error.issues[0]?.message}`);
}
