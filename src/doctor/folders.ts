/** The home of the bridge and that of Codex: there, and open to the right people only. */
import { accessSync, constants, lstatSync, readdirSync, statSync, type Stats } from 'node:fs';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { checkHomePrivate } from '../home.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

export function checkHome({ home, token }: Config): Finding {
  if (stat(home) === undefined) return ok('home', `${home} will be made at the first start`);
  try {
    const stored = checkHomePrivate(home);
    accessSync(home, constants.W_OK);
    const from = token === undefined ? 'bridge.json' : 'OPENAGENTS_BRIDGE_TOKEN';
    const has = stored === undefined && token === undefined ? 'no token yet' : `token from ${from}`;
    return ok('home', `${home} is private, ${has}`);
  } catch (error) {
    if (error instanceof BridgeError) return failed('home', error.message, 'do what it says');
    return failed('home', `${home} cannot be written`, 'choose another with OPENAGENTS_HOME');
  }
}

export function checkSessions({ sessionsRoot, codexHome }: Config): Finding {
  const closed = [codexHome, sessionsRoot].find((folder) => !isReadable(folder));
  if (closed !== undefined) {
    return failed('sessions', `${closed} cannot be read`, `run: chmod u+rx ${closed}`);
  }
  const facts = stat(sessionsRoot);
  if (facts === undefined) {
    return stat(codexHome) === undefined
      ? warning('sessions', `there is no ${codexHome}`, 'run Codex once, or set CODEX_HOME')
      : ok('sessions', `${sessionsRoot} appears with the first session of Codex`);
  }
  return facts.isDirectory()
    ? ok('sessions', sessionsRoot)
    : failed('sessions', `${sessionsRoot} is no directory`, 'move it away, or set CODEX_HOME');
}

/** Also where nothing is, or no directory: that is no matter of permissions. */
function isReadable(folder: string): boolean {
  try {
    readdirSync(folder);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EACCES');
  }
}

/** What the settings confine clients to. */
export function checkRoots({ runRoots, backfillRoots }: Config): Finding[] {
  return [
    rootsFinding('runs', 'work', runRoots, 'OPENAGENTS_RUN_ROOTS'),
    rootsFinding('backfill', 'read', backfillRoots, 'OPENAGENTS_BACKFILL_ROOTS'),
  ];
}

function rootsFinding(
  subject: string,
  verb: string,
  roots: readonly string[],
  setting: string,
): Finding {
  if (roots.length === 0) return ok(subject, `may ${verb} in any directory (${setting})`);
  const missing = roots.filter((root) => stat(root)?.isDirectory() !== true);
  const found = `may ${verb} in and below ${roots.join(', ')}`;
  if (missing.length === 0) return ok(subject, found);
  return warning(
    subject,
    `${found}; no directory: ${missing.join(', ')}`,
    `make it, or change ${setting}`,
  );
}

function stat(path: string): Stats | undefined {
  try {
    // A link to somewhere is as good as the place, a link to nowhere is something to tell.
    return lstatSync(path).isSymbolicLink() ? statSync(path) : lstatSync(path);
  } catch {
    return undefined;
  }
}
