/** Which messages of role `user` nobody wrote. Pure. */

/**
 * How context that the harness injects opens, for files that do not say it
 * (before 0.150). The list grows with Codex: it decides only where nothing else does.
 */
const OPENINGS = [
  '<environment_context>',
  '<user_instructions>',
  '# AGENTS.md instructions for',
  '<turn_aborted>',
  '<recommended_plugins>',
  '<subagent_notification>',
  '<user_action>',
  '<user_shell_command>',
  '<goal_context>',
  '<skills_instructions>',
  '<permissions instructions>',
  '<INSTRUCTIONS>',
  '<skill>',
  'Another language model started to solve this problem and produced a summary',
] as const;

export function opensLikeInjected(text: string): boolean {
  const start = text.trimStart();
  return OPENINGS.some((opening) => start.startsWith(opening));
}

/**
 * From 0.150 each part of a message says what it is, e.g. `user.text` or
 * `environments.environment_context`. Undefined when the parts do not tell.
 */
export function isInjected(contentKinds: readonly string[] | undefined): boolean | undefined {
  const telling = contentKinds?.filter((kind) => kind !== 'unknown') ?? [];
  if (telling.length === 0) return undefined;
  return !telling.some((kind) => kind.startsWith('user.'));
}
