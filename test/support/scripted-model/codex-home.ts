/** A CODEX_HOME for tests, and the real Codex CLI run on it by hand. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** The development dependency `@openai/codex`. */
export const codexBin = fileURLToPath(new URL('../../../node_modules/.bin/codex', import.meta.url));

/** Calls its tools directly; `codeModeModel` writes JavaScript that calls them. */
const directModel = 'gpt-5.5';
export const codeModeModel = 'gpt-6-sol';

export interface CodexHomeOptions {
  /** `ScriptedModel.url` */
  modelUrl: string;
  /** The CODEX_HOME to make. */
  path: string;
  model?: string;
}

/** Writes a config that needs no login and asks no host but the model's. Returns the path. */
export function makeCodexHome({ modelUrl, path, model = directModel }: CodexHomeOptions): string {
  mkdirSync(path, { recursive: true });
  writeFileSync(
    join(path, 'config.toml'),
    `model = ${JSON.stringify(model)}
model_provider = "scripted"
check_for_update_on_startup = false
# What a developer's shell does at login is no part of a test.
allow_login_shell = false

[model_providers.scripted]
name = "Scripted model"
base_url = ${JSON.stringify(modelUrl)}
wire_api = "responses"
# A test that lets a request fail shall not wait long.
request_max_retries = 0
stream_max_retries = 0

[features]
# These look for the network at start.
plugins = false
apps = false
remote_plugin = false
# Runs a login shell, and leaves it behind when Codex ends early.
shell_snapshot = false

[analytics]
enabled = false

# Off by default since 0.155; without it plans are not shown at all.
[tools.update_plan]
enabled = true
`,
  );
  return path;
}

export interface CodexResult {
  /** Codex's events, one a line of stdout. */
  lines: string[];
  stderr: string;
  exitCode: number | undefined;
}

/** Runs `codex exec --json` as a person would, outside of any bridge, the prompt on stdin. */
export async function runCodex(options: {
  codexHome: string;
  cwd: string;
  prompt: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
}): Promise<CodexResult> {
  const { codexHome, cwd, prompt, args = [], env = {} } = options;
  const { stdout, stderr, exitCode } = await execa(
    codexBin,
    [
      'exec',
      '--json',
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      ...args,
      '-',
    ],
    { cwd, input: prompt, reject: false, env: { CODEX_HOME: codexHome, ...env } },
  );
  return { lines: stdout.split('\n').filter((line) => line !== ''), stderr, exitCode };
}
