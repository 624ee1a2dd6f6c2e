/**
 * A tiny process that ends the Codex processes of a bridge that was killed. It holds
 * the reading end of a pipe whose other end only the bridge has: when the bridge is
 * gone, in whatever way, the pipe ends, and what is registered is ended too.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';

export interface Reaper {
  /** From now on the process group ends with the bridge. */
  add(group: number): void;
  remove(group: number): void;
  /** Resolves when it has ended, having nothing left to do. */
  close(): Promise<void>;
}

/** Seconds between SIGINT, SIGTERM and SIGKILL; Codex needs some 30 ms to end in order. */
const PATIENCE_SECONDS = 2;

export function startReaper(patienceSeconds = PATIENCE_SECONDS): Reaper {
  if (process.platform === 'win32') return windowsReaper;
  const groups = new Set<number>();
  let closing = false;
  let child = launch();

  function launch(): ChildProcess {
    const launched = spawn('/bin/sh', ['-c', SCRIPT, 'oa-bridge-reaper', String(patienceSeconds)], {
      // Away from our terminal and group: what ends the bridge must not end its reaper.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
    });
    launched.on('error', () => {});
    // A reaper that someone killed is replaced; a write to it may come before we know.
    launched.stdin?.on('error', () => {});
    launched.on('exit', () => {
      if (closing) return;
      child = launch();
      for (const group of groups) tell(`+${group}`);
    });
    // The daemon ends when its work ends, not when its reaper does.
    launched.unref();
    if (launched.stdin instanceof Socket) launched.stdin.unref();
    return launched;
  }

  function tell(line: string): void {
    child.stdin?.write(`${line}\n`);
  }

  return {
    add(group) {
      groups.add(group);
      tell(`+${group}`);
    },
    remove(group) {
      groups.delete(group);
      tell(`-${group}`);
    },
    async close() {
      closing = true;
      const { promise, resolve } = Promise.withResolvers<void>();
      if (child.exitCode !== null || child.pid === undefined) return;
      child.once('exit', () => resolve());
      child.ref();
      child.stdin?.end();
      await promise;
    },
  };
}

/** POSIX sh, so that it costs a megabyte and not a second Node. */
const SCRIPT = `
trap '' INT TERM HUP
groups=' '
while IFS= read -r line; do
  case $line in
    +*) groups="$groups\${line#+} " ;;
    -*) kept=' '
        for group in $groups; do [ "$group" = "\${line#-}" ] || kept="$kept$group "; done
        groups=$kept ;;
  esac
done
for signal in INT TERM KILL; do
  alive=no
  for group in $groups; do kill -s "$signal" -- "-$group" 2>/dev/null && alive=yes; done
  [ "$alive" = yes ] || exit 0
  waited=0
  while [ "$waited" -lt "$1" ]; do
    sleep 1
    waited=$((waited + 1))
    alive=no
    for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && alive=yes; done
    [ "$alive" = yes ] || exit 0
  done
done
`;

/** Windows has no process groups; the ledger ends at the next start what was left. */
const windowsReaper: Reaper = { add() {}, remove() {}, close: () => Promise.resolve() };
