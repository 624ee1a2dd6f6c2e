import { execa } from 'execa';
import { BridgeError } from '../../errors.ts';

/** Starting a program takes some hundred ms; a machine that is busy gets more. */
const PROBE_LIMIT_MS = 15_000;
/** Characters. A version is one line; a program that prints without end is another one. */
const MAX_OUTPUT = 10_000;

/** What `codex --version` says, e.g. "0.169.0". Rejects with `codex_missing`. */
export async function codexVersion(
  bin: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout, failed } = await execa(bin, ['--version'], {
    env,
    extendEnv: false,
    stdin: 'ignore',
    timeout: PROBE_LIMIT_MS,
    maxBuffer: MAX_OUTPUT,
    reject: false,
  });
  const version = /\d+\.\d+\.\d+\S*/.exec(stdout ?? '')?.[0];
  if (!failed && version !== undefined) return version;
  throw new BridgeError('codex_missing', `"${bin} --version" did not answer with a version`);
}
