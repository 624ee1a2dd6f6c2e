/** Writes a project into the text of its file, and leaves in it what a person wrote. Pure. */
import { Document, isMap } from 'yaml';
import { readFrontMatter, type Parsed } from './front-matter.ts';
import type { ProjectFields } from './project.ts';

const PATHS: readonly (readonly string[])[] = [
  ['name'],
  ['workingDir'],
  ['repo', 'provider'],
  ['repo', 'remote'],
  ['repo', 'url'],
  ['repo', 'branch'],
  ['agentFile'],
  ['instructions'],
  ['model'],
  ['sandbox'],
  ['approvals'],
  ['redact'],
];

/**
 * The text with these fields in its front matter. A field that is not given is taken out;
 * keys that are no fields, comments and the body stay. Not ok when `before` cannot be
 * read: then nothing may be overwritten.
 */
export function projectText(before: string | null, fields: ProjectFields): Parsed<string> {
  const matter = before === null || before.trim() === '' ? null : readFrontMatter(before);
  if (matter !== null && !matter.ok) return matter;
  const document = matter?.value.document ?? new Document({});
  for (const path of PATHS) write(document, path, valueAt(fields, path));
  const repo = document.get('repo');
  if (isMap(repo) && repo.items.length === 0) document.delete('repo');
  const body = matter === null ? `\n# ${fields.name}\n` : matter.value.body;
  return { ok: true, value: `---\n${document.toString({ lineWidth: 0 })}---\n${body}` };
}

/** Scalar by scalar, so that each keeps its comment, and a map the keys that are no fields. */
function write(document: Document, path: readonly string[], value: unknown): void {
  if (value === undefined) {
    if (document.hasIn(path)) document.deleteIn(path);
  } else if (document.getIn(path) !== value) {
    if (path.length > 1 && !isMap(document.getIn(path.slice(0, -1))))
      document.deleteIn(path.slice(0, -1));
    document.setIn(path, value);
  }
}

function valueAt(fields: ProjectFields, path: readonly string[]): unknown {
  let value: unknown = fields;
  for (const key of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  }
  return value;
}
