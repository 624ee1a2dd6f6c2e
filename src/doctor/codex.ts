/** Whether there is a Codex, which, who is signed in, and how it can be driven. */
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { childEnvironment } from '../actors/codex-process/child-environment.ts';
import { codexVersion } from '../actors/codex-process/codex-version.ts';
import { probeAppServer } from '../actors/codex-process/probe-app-server.ts';
import type { Config } from '../config.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

/** `codex login status` reads a file (ms). */
const LOGIN_LIMIT_MS = 10_000;

export async function checkCodex(config: Config): Promise<Finding[]> {
  const env = childEnvironment(process.env, config.codexHome);
  let version: string;
  try {
    version = await codexVersion(config.codexBin, env);
  } catch {
    const advice = 'install it with "npm install -g @openai/codex", or set CODEX_BIN';
    return [
      warning(
        'codex',
        `"${config.codexBin}" does not run; sessions are mirrored all the same`,
        advice,
      ),
    ];
  }
  const installed = ok('codex', `${version} (${config.codexBin})`);
  if (!existsSync(config.codexHome)) {
    // It would start neither for a question nor for a run.
    const advice = 'run "codex login", which makes it; until then every run fails';
    return [installed, warning('signed in', `nobody: there is no ${config.codexHome}`, advice)];
  }
  return [installed, ...(await Promise.all([checkDriver(config, env), checkLogin(config, env)]))];
}

async function checkDriver(
  { codexBin, codexDriver, codexHome }: Config,
  env: Record<string, string>,
) {
  if (codexDriver === 'exec') return ok('driver', 'exec, as configured');
  // It is one question to a process that ends at once: nothing has to be remembered of it.
  const guard = { add: () => Promise.resolve(), remove: () => undefined };
  let lacking: string | null;
  try {
    lacking = await probeAppServer({ bin: codexBin, env, guard });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice = `run "codex app-server" with CODEX_HOME=${codexHome} and see what it says`;
    return warning('driver', `app-server does not answer (${reason}); exec is used`, advice);
  }
  if (lacking === null) return ok('driver', 'app-server, with tokens, steering and approvals');
  const found = `app-server cannot do ${lacking}`;
  return codexDriver === 'app-server'
    ? failed('driver', found, 'update Codex, or set OPENAGENTS_CODEX_DRIVER=auto')
    : warning('driver', `${found}; exec is used`, 'update Codex to see every token as it comes');
}

async function checkLogin({ codexBin }: Config, env: Record<string, string>): Promise<Finding> {
  const { exitCode, stdout, stderr } = await execa(codexBin, ['login', 'status'], {
    env,
    extendEnv: false,
    stdin: 'ignore',
    timeout: LOGIN_LIMIT_MS,
    reject: false,
  });
  // It may name a key, of which Codex itself shows a part only; the first words say enough.
  const told = /logged in using [a-z ]+/i.exec(`${stdout}\n${stderr}`)?.[0] ?? 'signed in';
  return exitCode === 0
    ? ok('signed in', told)
    : warning('signed in', 'nobody', 'run "codex login", unless your provider needs none');
}
