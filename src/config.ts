/**
 * Every setting of the bridge: flag, environment variable, default and meaning, in
 * one place. The command line and docs/sync/configuration.md are made from it.
 */
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseCommandString } from 'execa';
import { z } from 'zod';
import { approvalMode, sandboxMode } from './control/modes.ts';
import { BridgeError } from './errors.ts';

export type Config = Readonly<z.output<typeof configSchema>> & {
  readonly convexDb: string;
  /** Directory of Codex's session files. */
  readonly sessionsRoot: string;
};

export type SettingName = keyof typeof settings;

export interface Setting {
  env: string;
  /** Without it the setting comes from the environment only. */
  flag?: string;
  /** As a person would type it. */
  default: string;
  description: string;
}

const address = z.string().transform((value, context) => {
  const parsed = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(value);
  const port = Number(parsed?.[3]);
  if (parsed === null || port > 65_535) {
    context.addIssue({
      code: 'custom',
      message: 'must be host:port, e.g. 127.0.0.1:8787 or [::]:8787',
    });
    return z.NEVER;
  }
  return { host: parsed[1] ?? (parsed[2] === '' ? '0.0.0.0' : (parsed[2] ?? '0.0.0.0')), port };
});

const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number from 0 to 65535 (0 picks a free one)')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port number from 0 to 65535 (0 picks a free one)');

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ''),
);

/** As milliseconds. */
const secondsInADay = z
  .string()
  .regex(/^[1-9]\d{0,4}$/, 'must be a whole number of seconds from 1 to 86400')
  .transform((seconds) => Math.min(Number(seconds), 86_400) * 1_000);

const path = z.string().min(1).transform(expandHome);

/** Joined as in PATH. */
const directories = z.string().transform((value) =>
  value
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map(expandHome),
);

const configSchema = z.object({
  home: path,
  bind: address,
  token: z
    .string()
    .regex(/^\S{16,}$/, 'must have at least 16 characters and no spaces')
    .optional(),
  allowedOrigins: list,
  convexMode: z.enum(['embedded', 'remote'], { error: 'must be "embedded" or "remote"' }),
  convexUrl: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  convexPort: port,
  convexInterface: z.union([z.ipv4(), z.ipv6(), z.literal('localhost')], {
    error: 'must be an IP address, e.g. 127.0.0.1 or 0.0.0.0',
  }),
  convexDb: path.optional(),
  convexSync: z.enum(['0', '1'], { error: 'must be 0 or 1' }).transform((value) => value === '1'),
  redact: z
    .enum(['on', 'off'], { error: 'must be on or off' })
    .transform((value) => value === 'on'),
  redactOffIn: directories,
  runRoots: directories,
  backfillRoots: directories,
  maxRuns: z
    .string()
    .regex(/^([1-9]|[1-5]\d|6[0-4])$/, 'must be a whole number from 1 to 64')
    .transform(Number),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
    error: 'must be trace, debug, info, warn, error or silent',
  }),
  codexHome: path,
  codexBin: z.string().min(1),
  codexArgs: z.string().transform(parseCommandString),
  codexDriver: z.enum(['auto', 'exec', 'app-server'], {
    error: 'must be auto, exec or app-server',
  }),
  sandbox: sandboxMode,
  approvals: approvalMode,
  approvalTimeout: secondsInADay,
  runStall: secondsInADay,
  runLimit: z
    .string()
    .regex(/^[1-9]\d{0,6}$/, 'must be a whole number of seconds from 1 to 2000000')
    // The longest that a timer of Node takes is 24 days.
    .transform((seconds) => Math.min(Number(seconds), 2_000_000) * 1_000),
});

export const settings = {
  home: {
    env: 'OPENAGENTS_HOME',
    flag: '--home <directory>',
    default: '~/.openagents',
    description: 'where the bridge keeps its token, its lock and the embedded database',
  },
  bind: {
    env: 'OPENAGENTS_BIND',
    flag: '--bind <host:port>',
    default: '0.0.0.0:8787',
    description: 'address of the control WebSocket',
  },
  token: {
    env: 'OPENAGENTS_BRIDGE_TOKEN',
    default: 'generated, kept in bridge.json',
    description: 'token that every client must present',
  },
  allowedOrigins: {
    env: 'OPENAGENTS_ALLOWED_ORIGINS',
    flag: '--allowed-origins <list>',
    default: '',
    description: 'web origins, comma-separated, that may connect besides loopback',
  },
  convexMode: {
    env: 'OPENAGENTS_CONVEX_MODE',
    flag: '--convex-mode <mode>',
    default: 'embedded',
    description: 'which Convex: the embedded backend, or a remote deployment',
  },
  convexUrl: {
    env: 'OPENAGENTS_CONVEX_URL',
    flag: '--convex-url <url>',
    default: 'none',
    description: 'URL of the deployment, for mode remote',
  },
  convexPort: {
    env: 'OPENAGENTS_CONVEX_PORT',
    flag: '--convex-port <port>',
    default: '7788',
    description: 'port of the embedded backend',
  },
  convexInterface: {
    env: 'OPENAGENTS_CONVEX_INTERFACE',
    flag: '--convex-interface <address>',
    default: '0.0.0.0',
    description: 'interface that the embedded backend listens on',
  },
  convexDb: {
    env: 'OPENAGENTS_CONVEX_DB',
    flag: '--convex-db <file>',
    default: '<home>/convex/embedded.sqlite3',
    description: 'database file of the embedded backend',
  },
  convexSync: {
    env: 'OPENAGENTS_CONVEX_SYNC',
    flag: '--convex-sync <0|1>',
    default: '1',
    description: '0 turns the watchers off: nothing is mirrored but runs of the bridge',
  },
  redact: {
    env: 'OPENAGENTS_REDACT',
    flag: '--redact <on|off>',
    default: 'on',
    description: 'whether secrets are taken out of what is written into Convex',
  },
  redactOffIn: {
    env: 'OPENAGENTS_REDACT_OFF_IN',
    flag: '--redact-off-in <directories>',
    default: '',
    description:
      'working directories, joined as in PATH, whose threads are written with their secrets',
  },
  runRoots: {
    env: 'OPENAGENTS_RUN_ROOTS',
    flag: '--run-roots <directories>',
    default: '',
    description:
      'directories, joined as in PATH, in and below which runs may work; empty: anywhere',
  },
  backfillRoots: {
    env: 'OPENAGENTS_BACKFILL_ROOTS',
    flag: '--backfill-roots <directories>',
    default: '',
    description:
      "directories, joined as in PATH, in and below which a backfill may read besides Codex's own; empty: anywhere",
  },
  maxRuns: {
    env: 'OPENAGENTS_MAX_RUNS',
    flag: '--max-runs <number>',
    default: '4',
    description: 'how many Codex runs may go on at once',
  },
  logLevel: {
    env: 'OPENAGENTS_LOG_LEVEL',
    flag: '--log-level <level>',
    default: 'info',
    description: 'trace, debug, info, warn, error or silent',
  },
  codexHome: {
    env: 'CODEX_HOME',
    flag: '--codex-home <directory>',
    default: '~/.codex',
    description: "Codex's own home; its sessions are watched",
  },
  codexBin: {
    env: 'CODEX_BIN',
    flag: '--codex-bin <program>',
    default: 'codex',
    description: 'the Codex program, a name on the PATH or a path',
  },
  codexArgs: {
    env: 'CODEX_ARGS',
    flag: '--codex-args <arguments>',
    default: '',
    description:
      'further arguments for every Codex; others than --config, --enable and --disable need the driver exec',
  },
  codexDriver: {
    env: 'OPENAGENTS_CODEX_DRIVER',
    flag: '--codex-driver <driver>',
    default: 'auto',
    description:
      'how Codex is run: app-server (every token, approvals), exec, or auto: app-server where the installed Codex can do it',
  },
  sandbox: {
    env: 'OPENAGENTS_SANDBOX',
    flag: '--sandbox <mode>',
    default: 'danger-full-access',
    description:
      'what runs may do that ask for nothing else: read-only, workspace-write or danger-full-access',
  },
  approvals: {
    env: 'OPENAGENTS_APPROVALS',
    flag: '--approvals <mode>',
    default: 'never',
    description:
      'when runs ask for approval that say nothing else: never, on-request, on-failure or untrusted',
  },
  approvalTimeout: {
    env: 'OPENAGENTS_APPROVAL_TIMEOUT',
    flag: '--approval-timeout <seconds>',
    default: '600',
    description: 'seconds after which an approval that nobody answers is declined',
  },
  runStall: {
    env: 'OPENAGENTS_RUN_STALL',
    flag: '--run-stall <seconds>',
    default: '600',
    description: 'seconds without a sign of life after which a run is shown as stalled',
  },
  runLimit: {
    env: 'OPENAGENTS_RUN_LIMIT',
    flag: '--run-limit <seconds>',
    default: '86400',
    description: 'seconds after which a run is ended',
  },
} as const satisfies Record<keyof z.input<typeof configSchema>, Setting>;

/** Settings whose default is "not set" rather than the text that describes it. */
const WITHOUT_DEFAULT: ReadonlySet<string> = new Set(['token', 'convexUrl', 'convexDb']);

/**
 * Flags beat the environment, which beats the defaults. A wrong value throws
 * `config_invalid`, naming every wrong setting and what is allowed.
 */
export function loadConfig(
  flags: Partial<Record<SettingName, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const raw: Partial<Record<string, string>> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const fallback = WITHOUT_DEFAULT.has(name) ? undefined : setting.default;
    // An empty variable counts as not set, as shells and service files often leave them.
    const value = flags[name as SettingName] ?? (env[setting.env] || undefined) ?? fallback;
    if (value !== undefined) raw[name] = value;
  }
  const parsed = configSchema.safeParse(raw);
  if (!parsed.success) throw new BridgeError('config_invalid', explain(parsed.error, raw, flags));
  const config = parsed.data;
  if (config.convexMode === 'remote' && config.convexUrl === undefined) {
    throw new BridgeError(
      'config_invalid',
      'OPENAGENTS_CONVEX_URL is required when OPENAGENTS_CONVEX_MODE is "remote"',
    );
  }
  return Object.freeze({
    ...config,
    convexDb: config.convexDb ?? join(config.home, 'convex', 'embedded.sqlite3'),
    sessionsRoot: join(config.codexHome, 'sessions'),
  });
}

/** Each by the name under which it was given. */
function explain(
  error: z.ZodError,
  raw: Partial<Record<string, string>>,
  flags: Partial<Record<SettingName, string>>,
): string {
  return error.issues
    .map((issue) => {
      // The schema has the keys of `settings`.
      const name = String(issue.path[0]) as SettingName;
      const setting: Setting = settings[name];
      const [flag] = flags[name] === undefined ? [] : (setting.flag?.split(' ') ?? []);
      // The token is a secret: its value is never repeated.
      const shown = name === 'token' ? '' : ` is "${raw[name] ?? ''}", but`;
      return `${flag ?? setting.env}${shown} ${issue.message}`;
    })
    .join('; ');
}

function expandHome(value: string): string {
  return resolve(value.replace(/^~(?=$|[\\/])/, homedir()));
}
