/** `oa-bridge validate`: checks files of projects and skills, and prints errors as a compiler does. */
import { globSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import type { LibraryProblem } from '../control/library.ts';
import { BridgeError } from '../errors.ts';
import { libraryId } from '../library/library-id.ts';
import { parseProject } from '../library/project.ts';
import { parseSkill } from '../library/skill.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** Without paths: the projects and skills of the home. A folder is searched through. */
export async function validate(
  config: Config,
  paths: readonly string[],
  asJson: boolean,
): Promise<ExitCode> {
  const places =
    paths.length > 0 ? paths : [join(config.home, 'projects'), join(config.home, 'skills')];
  const files = [...new Set(places.flatMap((path) => filesAt(path, paths.length > 0)))].sort();
  const problems = files.flatMap(check);
  if (asJson) console.log(JSON.stringify({ files: files.length, problems }, null, 2));
  else console.log(render(files.length, problems));
  return problems.length === 0 ? EXIT.done : EXIT.failed;
}

const NAMES = ['PROJECT.md', 'SKILL.md', '*.project.md'].map((name) => `**/${name}`);

function filesAt(path: string, mustBeThere: boolean): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) {
    return globSync(NAMES, { cwd: path, exclude: ['**/node_modules/**'] }).map((file) =>
      join(path, file),
    );
  }
  if (found !== undefined) return [path];
  if (!mustBeThere) return [];
  throw new BridgeError('arguments_invalid', `there is no file or folder ${path}`);
}

function check(path: string): LibraryProblem[] {
  const name = basename(path);
  const legacy = /^(.+)\.project\.md$/.exec(name)?.[1];
  const id = legacy ?? basename(dirname(path));
  const usable = libraryId.safeParse(id);
  if (!usable.success) {
    const message = `the name "${id}" ${usable.error.issues[0]?.message ?? 'cannot be used'}`;
    return [{ path, line: 1, column: 1, message }];
  }
  const content = readFileSync(path, 'utf8');
  const parsed = name === 'SKILL.md' ? parseSkill(id, content) : parseProject(id, content);
  return parsed.ok ? [] : parsed.problems.map((problem) => ({ path, ...problem }));
}

function render(files: number, problems: readonly LibraryProblem[]): string {
  const lines = problems.map(({ path, line, column, message }) => {
    const shown = relative(process.cwd(), path);
    const place = `${shown.startsWith('..') ? path : shown}:${line}:${column}`;
    return `${styleText('bold', place)}: ${styleText('red', 'error')}: ${message}`;
  });
  const wrong = new Set(problems.map(({ path }) => path)).size;
  const checked = `${files} ${files === 1 ? 'file' : 'files'} checked`;
  return [...lines, wrong === 0 ? `${checked}, all good` : `${checked}, ${wrong} with errors`].join(
    '\n',
  );
}
