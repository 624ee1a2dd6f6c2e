/** The command `oa-bridge` as its user runs it: a process of its own. */
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export type RunningCommand = ReturnType<typeof commandLine>;

/** What it prints first on standard output. Rejects when it ends without a word. */
export async function firstOutput(running: RunningCommand): Promise<string> {
  const printed = once(running.stdout, 'data').then(([data]) => String(data));
  const ended = running.then(({ exitCode, stderr }) => {
    throw new Error(`The command ended (${exitCode}): ${stderr}`);
  });
  return await Promise.race([printed, ended]);
}

/** The homes are those that `startDaemonProcess` gives its daemon in the same folder. */
export function commandLine(folder: string, args: string[], env: Record<string, string> = {}) {
  return execa(process.execPath, [cli, ...args], {
    reject: false,
    env: {
      OPENAGENTS_HOME: join(folder, 'openagents'),
      OPENAGENTS_BIND: '127.0.0.1:0',
      OPENAGENTS_CONVEX_PORT: '0',
      OPENAGENTS_CONVEX_INTERFACE: '127.0.0.1',
      CODEX_HOME: join(folder, 'codex'),
      ...env,
    },
  });
}
