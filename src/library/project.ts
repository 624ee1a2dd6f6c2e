/** `PROJECT.md`: where a project's runs work, and with which settings. Pure. */
import { z } from 'zod';
import { checkFrontMatter, readFrontMatter, type Parsed } from './front-matter.ts';

const text = z.string().min(1, 'must not be empty').max(4_096, 'is longer than 4096 characters');

/** The front matter. Keys that are not here are kept in the file and ignored. */
export const projectFields = z.object({
  name: text.max(200, 'is longer than 200 characters').describe('What people call the project.'),
  workingDir: text
    .regex(/^(?:~(?=$|[\\/])|[\\/]|[A-Za-z]:[\\/])/, 'must be an absolute path, or begin with "~"')
    .describe('Absolute directory in which Codex works; "~" is the home directory.'),
  repo: z
    .object({
      provider: text.exactOptional().describe('For example "github".'),
      remote: text.exactOptional().describe('Name of the remote, for example "origin".'),
      url: text.exactOptional().describe('Where the repository can be cloned from.'),
      branch: text.exactOptional().describe('The branch that is worked on.'),
    })
    .exactOptional()
    .describe('The repository that the working directory is a checkout of.'),
  agentFile: text
    .exactOptional()
    .describe('File with instructions for agents, for example "AGENTS.md".'),
  instructions: z
    .string()
    .max(65_536, 'is longer than 65536 characters')
    .exactOptional()
    .describe('What every run of this project is told.'),
  model: z
    .string()
    .min(1, 'must not be empty')
    .max(128, 'is longer than 128 characters')
    // It becomes the value of a flag.
    .regex(/^[^-\s]\S*$/, 'must be a name without spaces that does not begin with "-"')
    .exactOptional()
    .describe('The model of its runs.'),
  sandbox: z
    .enum(['read-only', 'workspace-write', 'danger-full-access'])
    .exactOptional()
    .describe('What its runs may touch.'),
  approvals: z
    .enum(['never', 'on-request', 'on-failure', 'untrusted'])
    .exactOptional()
    .describe('When its runs ask a person.'),
  redact: z
    .boolean()
    .exactOptional()
    .describe('false: secrets in its sessions are mirrored as they are.'),
});

export type ProjectFields = z.infer<typeof projectFields>;

export interface Project extends ProjectFields {
  /** The name of its folder, or of its file before `.project.md`. */
  id: string;
}

/** A project as its file has it; `~` in `workingDir` is left to whoever knows the home. */
export function parseProject(id: string, content: string): Parsed<Project> {
  const matter = readFrontMatter(content);
  if (!matter.ok) return matter;
  const fields = checkFrontMatter(matter.value, projectFields);
  return fields.ok ? { ok: true, value: { id, ...fields.value } } : fields;
}
