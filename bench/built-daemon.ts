/** The daemon as it is published: without the sources' cost of being compiled at every start. */
import { fileURLToPath } from 'node:url';
import { startDaemonProcess, type DaemonProcess } from '../test/support/daemon-process.ts';

/** `run.ts` has built it. */
const cli = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));

export async function startBuiltDaemon(
  folder: string,
  env: Record<string, string> = {},
): Promise<DaemonProcess> {
  return await startDaemonProcess({ folder, cli, env });
}
