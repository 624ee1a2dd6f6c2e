/** Where skills come from, and which of two with one id counts. Pure. */
import type { Skill } from './skill.ts';

type SkillSource = 'user' | 'registry' | 'project';

/** A skill of a scope, as it is mirrored. */
export interface ScopedSkill extends Skill {
  source: SkillSource;
  /** Only of source `project`. */
  projectId?: string;
  /** Of its SKILL.md. */
  path: string;
}

/** A user's skill hides a registry one of the same id; one of a project stands beside both. */
export function visibleSkills<Row extends Pick<ScopedSkill, 'skillId' | 'source'>>(
  skills: readonly Row[],
): Row[] {
  const ofUser = new Set(
    skills.filter(({ source }) => source === 'user').map(({ skillId }) => skillId),
  );
  return skills.filter(({ skillId, source }) => source !== 'registry' || !ofUser.has(skillId));
}
