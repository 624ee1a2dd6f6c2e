/** The OpenAgents home: who this bridge is, its token, and that only one daemon uses it. */
import { randomBytes, randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  lstatSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { BridgeError } from './errors.ts';

export interface BridgeIdentity {
  bridgeId: string;
  machineId: string;
  /** What clients present. */
  token: string;
}

const identityFields = z.looseObject({
  bridgeId: z.string().min(1).optional(),
  machineId: z.string().min(1).optional(),
  token: z.string().min(16).optional(),
});

/**
 * Reads `bridge.json`, or makes it (mode 0600 in a 0700 home). A token from the
 * environment is used but never written down. Errors: `home_unsafe`, `config_invalid`.
 */
export function openHome(home: string, tokenFromEnvironment?: string): BridgeIdentity {
  makeFolder(home);
  requirePrivate(home, 'directory', 0o700);
  const file = identityFile(home);
  const stored = readIdentity(file);
  const identity = {
    ...stored,
    bridgeId: stored.bridgeId ?? randomUUID(),
    machineId: stored.machineId ?? randomUUID(),
    token: stored.token ?? (tokenFromEnvironment === undefined ? newToken() : undefined),
  };
  if (JSON.stringify(identity) !== JSON.stringify(stored)) writePrivately(file, identity);
  const token = tokenFromEnvironment ?? identity.token;
  if (token === undefined) throw new BridgeError('config_invalid', `${file} has no token`);
  return { bridgeId: identity.bridgeId, machineId: identity.machineId, token };
}

/** The token that a command on this machine presents to the running daemon, if there is one. */
export function readToken(home: string): string | undefined {
  return readIdentity(identityFile(home)).token;
}

/** Returns the stored token, if there is one. Changes nothing. Errors: as of `openHome`. */
export function checkHomePrivate(home: string): string | undefined {
  requirePrivate(home, 'directory', 0o700);
  return readToken(home);
}

/** Where the token is. */
export function identityFile(home: string): string {
  return join(home, 'bridge.json');
}

/** Replaces the token; a running daemon sees it and ends the sessions of the old one. */
export function rotateToken(home: string): string {
  openHome(home);
  const file = identityFile(home);
  const token = newToken();
  writePrivately(file, { ...readIdentity(file), token });
  return token;
}

/** 32 random bytes: as long as a key, and short enough to type once. */
function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * What a JSON file of the home holds, which only its owner may read; made when it is not there.
 * Of two processes that make it at once, both get what one of them made.
 * Errors: `home_unsafe`, `config_invalid`.
 */
export function keepPrivately(home: string, name: string, make: () => unknown): unknown {
  const file = join(home, name);
  if (!existsSync(file)) createPrivately(file, make());
  requirePrivate(file, 'file', 0o600);
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new BridgeError('config_invalid', `${file} is not JSON; repair or remove it`, { cause });
  }
}

/**
 * Holds the home for this process alone until `release`, or until the process ends
 * in any way: the lock is SQLite's own file lock, so a killed daemon leaves none behind.
 */
export function lockHome(home: string): { release(): void } {
  const file = join(home, 'daemon.lock');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if (isBusy(cause)) throw new BridgeError('home_locked', home, { cause });
    throw unusable(file, cause);
  }
  return { release: () => database.close() };
}

/** SQLite's result code for a lock that another process holds. */
const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

function makeFolder(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unusable(home, cause);
  }
}

function unusable(path: string, cause: unknown): BridgeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const advice = `${path} cannot be used (${reason}); choose a directory of yours with OPENAGENTS_HOME`;
  return new BridgeError('config_invalid', advice, { cause });
}

function readIdentity(file: string): z.infer<typeof identityFields> {
  if (!existsSync(file)) return {};
  requirePrivate(file, 'file', 0o600);
  try {
    return identityFields.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new BridgeError(
      'config_invalid',
      `${file} is not what the bridge wrote; repair or remove it`,
      { cause },
    );
  }
}

/** A rename replaces the file whole: a crash, or a power cut, leaves the old one or the new one. */
function writePrivately(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, file);
}

/** Whole or not at all, and never over one that is there already. */
function createPrivately(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(temporary, file);
  } catch (cause) {
    if (!existsSync(file)) throw unusable(file, cause);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function requirePrivate(path: string, what: string, mode: number): void {
  // Windows has no such bits; its profile folders are private by access lists.
  if (process.platform === 'win32') return;
  const facts = lstatSync(path);
  // Who may change the link decides what we read, and may be somebody else.
  if (facts.isSymbolicLink()) {
    throw new BridgeError(
      'home_unsafe',
      `the ${what} ${path} is a symbolic link; name the place that it leads to with OPENAGENTS_HOME`,
    );
  }
  const { mode: actual, uid } = facts;
  if (uid !== process.getuid?.()) {
    throw new BridgeError(
      'home_unsafe',
      `the ${what} ${path} belongs to another user; choose another with OPENAGENTS_HOME`,
    );
  }
  if ((actual & 0o077) === 0) return;
  const fix = `chmod ${mode.toString(8)} ${path}`;
  throw new BridgeError('home_unsafe', `others can read the ${what} ${path}; run: ${fix}`);
}
