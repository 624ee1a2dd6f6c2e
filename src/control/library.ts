/** Projects and skills on the wire; the fields are those of their files. */
import { z } from 'zod';
import { approvalMode, sandboxMode } from './modes.ts';

/** A `PROJECT.md`. In replies `workingDir` is absolute; a client may send `~`. */
export const projectItem = z.object({
  /** The name of its folder. */
  id: z.string(),
  name: z.string(),
  workingDir: z.string(),
  repo: z
    .object({
      provider: z.string().optional(),
      remote: z.string().optional(),
      url: z.string().optional(),
      branch: z.string().optional(),
    })
    .optional(),
  agentFile: z.string().optional(),
  instructions: z.string().optional(),
  model: z.string().optional(),
  sandbox: sandboxMode.optional(),
  approvals: approvalMode.optional(),
  /** false: secrets in the project's sessions are mirrored as they are. */
  redact: z.boolean().optional(),
});
export type ProjectItem = z.infer<typeof projectItem>;

/** A `SKILL.md`. */
export const skillItem = z.object({
  skillId: z.string(),
  name: z.string(),
  description: z.string(),
  license: z.string().optional(),
  allowedTools: z.array(z.string()).optional(),
  metadata: z.record(z.string(), z.json()).optional(),
  source: z.enum(['user', 'registry', 'project']),
  projectId: z.string().optional(),
  path: z.string(),
});
export type SkillItem = z.infer<typeof skillItem>;

/** A file that cannot be used; what it said when it last could be is still in force. */
export const libraryProblem = z.object({
  path: z.string(),
  /** From 1. */
  line: z.int(),
  column: z.int(),
  message: z.string(),
});
export type LibraryProblem = z.infer<typeof libraryProblem>;

export const projectsFrame = z.object({
  type: z.literal('bridge.projects'),
  items: z.array(projectItem),
  problems: z.array(libraryProblem),
});
export type ProjectsFrame = z.infer<typeof projectsFrame>;

export const skillsFrame = z.object({
  type: z.literal('bridge.skills'),
  items: z.array(skillItem),
  problems: z.array(libraryProblem),
});
export type SkillsFrame = z.infer<typeof skillsFrame>;
