/** `oa-bridge inspect`: a page in which the machines of a running daemon can be seen. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import type { ServedPage } from '../inspector-server/listen-on-loopback.ts';
import { servePage } from '../inspector-server/serve-page.ts';
import { serveStately } from '../inspector-server/serve-stately.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge, localBridge } from './local-bridge.ts';

export interface InspectFlags {
  port: string;
  open?: boolean;
  stately?: boolean;
}

/** Serves until it is interrupted. */
export async function inspect(config: Config, flags: InspectFlags): Promise<ExitCode> {
  const port = portOf(flags);
  // Says why, where nobody answers, before there is a page that cannot.
  const bridge = await connectLocalBridge(config);
  bridge.close();
  const { url, token } = localBridge(config);
  if (flags.stately === true) {
    const served = await serveStately(port, () => connectLocalBridge(config));
    return await serveUntilInterrupted(served, served.url, flags.open ?? false);
  }
  const served = await servePage({ port });
  const address = `${served.url}#${new URLSearchParams({ bridge: url, token }).toString()}`;
  return await serveUntilInterrupted(served, address, flags.open ?? false);
}

export function portOf({ port }: { port: string }): number {
  const number = Number(port);
  if (/^\d{1,5}$/.test(port) && number < 65_536) return number;
  throw new BridgeError(
    'arguments_invalid',
    `--port takes a number from 0 to 65535, not "${port}"`,
  );
}

/** The address goes to standard output only: with its fragment it opens the bridge. */
export async function serveUntilInterrupted(
  served: ServedPage,
  address: string,
  opens: boolean,
): Promise<ExitCode> {
  console.log(address);
  process.stderr.write('Open this address in a browser of this machine; Ctrl-C ends it.\n');
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  if (opens) await openInBrowser(address);
  await interrupted;
  await served.close();
  return EXIT.interrupted;
}

/**
 * By a file that only we can read and that sends the browser on: arguments of a program can
 * be read by everybody on the machine, and the address holds the token.
 */
async function openInBrowser(address: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'oa-inspect-'));
  const file = join(folder, 'open.html');
  const script = `location.replace(${JSON.stringify(address)})`;
  writeFileSync(file, `<!doctype html><script>${script}</script>`, { mode: 0o600 });
  const [program, args] = OPENERS[process.platform] ?? ['xdg-open', []];
  const { failed } = await execa(program, [...args, pathToFileURL(file).href], {
    reject: false,
    stdio: 'ignore',
    timeout: 10_000,
  });
  if (failed) process.stderr.write(`No browser could be started by ${program}.\n`);
  // The browser may have been handed the name only, and read the file a moment later.
  setTimeout(() => rmSync(folder, { recursive: true, force: true }), 10_000).unref();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
}

const OPENERS: Partial<Record<NodeJS.Platform, [string, string[]]>> = {
  darwin: ['open', []],
  win32: ['cmd', ['/c', 'start', '']],
};
