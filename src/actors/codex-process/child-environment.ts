/**
 * The environment of a Codex process: that of its user, so that Codex finds its
 * provider's keys (`env_key` in Codex's config may name any variable), proxies and
 * certificates; without all that belongs to the daemon. What Codex gets, the
 * commands of a model can read, and its session file may repeat.
 */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  codexHome: string,
): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !isOurs(entry[0]),
  );
  return { ...Object.fromEntries(kept), CODEX_HOME: codexHome };
}

/** Set by systemd for the daemon's own process; a child that used them would speak in its name. */
const SERVICE = new Set([
  'NOTIFY_SOCKET',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PID',
  'INVOCATION_ID',
  'JOURNAL_STREAM',
  'CREDENTIALS_DIRECTORY',
]);

/** `npm start` adds its own, with paths of this package that mislead tools in other folders. */
const FOREIGN = /^(?:OPENAGENTS_|npm_)/i;

const CONFIGURATION = new Set(['CODEX_BIN', 'CODEX_ARGS', 'INIT_CWD', 'NODE_CHANNEL_FD']);

function isOurs(name: string): boolean {
  return FOREIGN.test(name) || SERVICE.has(name) || CONFIGURATION.has(name);
}
