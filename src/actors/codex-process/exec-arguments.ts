import type { RunPlan } from '../../machines/codex-process-events.ts';

/**
 * The arguments of `codex exec` for one run, the prompt being on stdin. Options
 * stand before `resume` and `fork`, where Codex takes them for all kinds of run (seen in 0.169).
 * `extra` are the user's own (CODEX_ARGS): what a request says beats them.
 */
export function execArguments(plan: RunPlan, extra: readonly string[]): string[] {
  const full = plan.sandbox === 'danger-full-access' && plan.approvals === 'never';
  const policy = full
    ? [FULL_ACCESS]
    : ['--sandbox', plan.sandbox, '--config', `approval_policy="${plan.approvals}"`];
  const model = plan.model === undefined ? [] : ['--model', plan.model];
  // A JSON string of printable characters is a TOML string too.
  const told = [
    ...(plan.instructions === undefined
      ? []
      : ['--config', `developer_instructions=${JSON.stringify(plan.instructions)}`]),
    ...(plan.agentFile === undefined
      ? []
      : ['--config', `project_doc_fallback_filenames=[${JSON.stringify(plan.agentFile)}]`]),
  ];
  const overridden = [...SANDBOX, ...DIRECTORY, ...(plan.model === undefined ? [] : MODEL)];
  return [
    'exec',
    '--json',
    '--skip-git-repo-check',
    ...policy,
    ...model,
    ...told,
    '--cd',
    plan.cwd,
    ...withoutOptions(withoutFlags(extra), overridden),
    ...(plan.resumeId === undefined ? [] : [plan.fork ? 'fork' : 'resume', plan.resumeId]),
    '-',
  ];
}

const FULL_ACCESS = '--dangerously-bypass-approvals-and-sandbox';
const MODEL = ['-m', '--model'];
const SANDBOX = ['-s', '--sandbox'];
const DIRECTORY = ['-C', '--cd'];

/** Codex refuses an option that is given twice, so those that we set ourselves are left out. */
function withoutFlags(args: readonly string[]): string[] {
  const ours = new Set(['--json', '--skip-git-repo-check', FULL_ACCESS]);
  return args.filter((argument) => !ours.has(argument));
}

function withoutOptions(args: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    if (names.includes(argument)) index += 1;
    else if (!names.some((name) => argument.startsWith(`${name}=`))) kept.push(argument);
  }
  return kept;
}
