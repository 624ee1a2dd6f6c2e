/**
 * `SKILL.md`, as the Agent Skills format (agentskills.io, used by Claude and by Codex)
 * describes it. Pure.
 */
import { z } from 'zod';
import { checkFrontMatter, readFrontMatter, type Parsed } from './front-matter.ts';

/** The front matter. Keys that are not here are ignored. */
export const skillFields = z.object({
  name: z
    .string()
    .max(64, 'is longer than 64 characters')
    .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'must be lower-case words joined by single hyphens')
    .describe('Lower-case words joined by hyphens; equals the name of the folder.'),
  description: z
    .string()
    .min(1, 'must not be empty')
    .max(1_024, 'is longer than 1024 characters')
    .describe('What the skill does, and when an agent should use it.'),
  license: z.string().max(1_024, 'is longer than 1024 characters').optional(),
  'allowed-tools': z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe(
      'Tools that the skill may use without asking: a list, or words with spaces or commas.',
    ),
  metadata: z
    .record(z.string(), z.json())
    .optional()
    .describe('Anything else that a client wants to know.'),
});

export interface Skill {
  /** The name of its folder. */
  skillId: string;
  name: string;
  description: string;
  license?: string;
  allowedTools?: string[];
  metadata?: Record<string, z.infer<ReturnType<typeof z.json>>>;
}

export function parseSkill(skillId: string, content: string): Parsed<Skill> {
  const matter = readFrontMatter(content);
  if (!matter.ok) return matter;
  const fields = checkFrontMatter(matter.value, skillFields);
  if (!fields.ok) return fields;
  const { 'allowed-tools': tools, license, metadata, ...rest } = fields.value;
  if (rest.name !== skillId) {
    const message = `name: is "${rest.name}", but the folder is "${skillId}"; they must be equal`;
    return { ok: false, problems: [{ ...matter.value.positionOf(['name']), message }] };
  }
  return {
    ok: true,
    value: {
      skillId,
      ...rest,
      ...(license === undefined ? {} : { license }),
      ...(tools === undefined ? {} : { allowedTools: toolNames(tools) }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

/** "Read, Bash(git:*)" and "Read Bash(git:*)": a comma or space inside of brackets separates nothing. */
function toolNames(tools: string | string[]): string[] {
  if (typeof tools !== 'string') return tools;
  return tools.match(/(?:[^\s,(]|\([^)]*\)?)+/g) ?? [];
}
