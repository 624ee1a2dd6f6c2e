/** The command `oa-bridge` as its user runs it: a process of its own. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export type RunningCommand = ReturnType<typeof commandLine>;

/** What it has printed as soon as that holds `text`. Rejects when it ends without. */
export async function firstOutput(
  running: RunningCommand,
  text = '\n',
  stream: 'stdout' | 'stderr' = 'stdout',
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  running[stream].on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    const printed = Buffer.concat(chunks).toString();
    if (printed.includes(text)) resolve(printed);
  });
  void running.then(({ exitCode, stderr }) =>
    reject(new Error(`The command ended (${exitCode}) without ${JSON.stringify(text)}: ${stderr}`)),
  );
  return await promise;
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
