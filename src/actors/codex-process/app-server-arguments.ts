/** How an app-server is started, and what it is told of a run. Shapes as 0.169 prints them. */
import type { RunPlan } from '../../machines/codex-process-events.ts';

/**
 * Of the user's own arguments (CODEX_ARGS) an app-server takes those that change the
 * configuration. Undefined when there are others: then only `codex exec` does as asked.
 */
export function configurationArguments(extra: readonly string[]): string[] | undefined {
  const kept: string[] = [];
  for (let index = 0; index < extra.length; index += 1) {
    const argument = extra[index] ?? '';
    if (WITH_VALUE.has(argument)) kept.push(argument, extra[(index += 1)] ?? '');
    else if (/^--(?:config|enable|disable)=/.test(argument)) kept.push(argument);
    // What it asks for is said in each request.
    else if (argument !== '--json' && argument !== '--skip-git-repo-check') return undefined;
  }
  return kept;
}

export function appServerArguments(extra: readonly string[]): string[] {
  return ['app-server', ...(configurationArguments(extra) ?? [])];
}

export function initializeParams(version: string) {
  return {
    // Codex writes the name into the session file, as who began it.
    clientInfo: { name: 'openagents_bridge', title: 'OpenAgents bridge', version },
    capabilities: { experimentalApi: true, requestAttestation: false },
  };
}

export function threadParams(plan: RunPlan) {
  const { cwd, model, instructions, agentFile, sandbox, approvals } = plan;
  return {
    cwd,
    ...(model === undefined ? {} : { model }),
    ...(instructions === undefined ? {} : { developerInstructions: instructions }),
    ...(agentFile === undefined ? {} : { config: { project_doc_fallback_filenames: [agentFile] } }),
    sandbox,
    // Since 0.145 an app-server has no "on-failure"; this is the one that also asks least.
    approvalPolicy: approvals === 'on-failure' ? 'on-request' : approvals,
  };
}

const WITH_VALUE: ReadonlySet<string> = new Set(['-c', '--config', '--enable', '--disable']);
