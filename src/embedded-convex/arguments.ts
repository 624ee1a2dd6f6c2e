import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import type { FunctionsSource } from './executor-options.ts';

export interface Arguments {
  databasePath: string;
  functions: FunctionsSource;
  port: number;
  interface: string;
  adminKeyFile: string;
  hostNames: string[];
  allowedOrigins: string[];
  watchStdin: boolean;
  /** Load the functions anew when their folder changes. */
  watch: boolean;
  /** All that functions see as `process.env`. */
  env: Record<string, string>;
}

export const usage = `Usage: main.ts --db <file> --functions <folder> [options]

  --db <file>              SQLite database; created when missing
  --functions <folder>     folder of Convex functions
  --bundle <file>          prebuilt functions, instead of --functions
  --watch                  load the functions anew when a file of theirs changes
  --port <number>          port to listen on; 0 takes a free one (default 0)
  --interface <address>    address to listen on (default 127.0.0.1)
  --admin-key-file <file>  file with the admin key, created when missing
                           (default: "admin-key" beside the database)
  --env <name=value>       an environment variable of the functions (repeatable)
  --environment-file <file>
                           more of them, one name=value a line; --env goes before
  --allow-host <name>      a name under which clients reach this machine (repeatable)
  --allow-origin <origin>  an origin whose pages may connect (repeatable)
  --watch-stdin            end when standard input ends, that is, with the parent process
  --help

Prints one line of JSON when it is ready: {"ready":true,"url","port","instanceName"}.
A damaged database is renamed and an empty one begun; then the line has "setAside" as well:
{"file","reason"}.
While the disk is full it answers queries and refuses mutations: {"error":"DiskFull","message"}
on standard error, and {"recovered":"DiskFull"} once there is room.
When it fails, one line on standard error, {"error","message"}, and exits with code 1.
`;

/** The command line is wrong; the message says what to change. */
export class ArgumentError extends Error {
  readonly code = 'InvalidArguments';
}

/** null: the person asked for help. Throws an `ArgumentError`. */
export function parseArguments(argv: string[]): Arguments | null {
  const values = parseValues(argv);
  if (values.help) return null;
  if (values.db === undefined) throw new ArgumentError('--db is missing: name the database file.');
  return {
    databasePath: values.db,
    functions: functionsSource(values.functions, values.bundle),
    port: parsePort(values.port),
    interface: parseInterface(values.interface),
    adminKeyFile: values['admin-key-file'] ?? join(dirname(values.db), 'admin-key'),
    hostNames: values['allow-host'],
    allowedOrigins: values['allow-origin'],
    watchStdin: values['watch-stdin'],
    watch: parseWatch(values.watch, values.functions),
    env: { ...readEnvironment(values['environment-file']), ...parseEnvironment(values.env) },
  };
}

function parseValues(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        db: { type: 'string' },
        functions: { type: 'string' },
        bundle: { type: 'string' },
        port: { type: 'string', default: '0' },
        interface: { type: 'string', default: '127.0.0.1' },
        'admin-key-file': { type: 'string' },
        env: { type: 'string', multiple: true, default: [] },
        'environment-file': { type: 'string' },
        'allow-host': { type: 'string', multiple: true, default: [] },
        'allow-origin': { type: 'string', multiple: true, default: [] },
        watch: { type: 'boolean', default: false },
        'watch-stdin': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function functionsSource(
  folder: string | undefined,
  bundleFile: string | undefined,
): FunctionsSource {
  if (folder !== undefined && bundleFile === undefined) return { folder };
  if (bundleFile !== undefined && folder === undefined) return { bundleFile };
  throw new ArgumentError('Give either --functions <folder> or --bundle <file>.');
}

function parseEnvironment(settings: string[]): Record<string, string> {
  return Object.fromEntries(
    settings.map((setting) => {
      const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(setting) ?? [];
      // The value may be a secret, so it is not repeated.
      if (name === undefined || value === undefined) {
        throw new ArgumentError('--env must be given as name=value.');
      }
      return [name, value];
    }),
  );
}

function readEnvironment(file: string | undefined): Record<string, string> {
  if (file === undefined) return {};
  try {
    const entries = Object.entries(parseEnv(readFileSync(file, 'utf8')));
    return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ArgumentError(`--environment-file cannot be read: ${reason}.`, { cause });
  }
}

function parseWatch(watch: boolean, folder: string | undefined): boolean {
  if (!watch || folder !== undefined) return watch;
  throw new ArgumentError('--watch needs --functions <folder>: a bundle does not change.');
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new ArgumentError(`--port must be a number from 0 to 65535, not "${text}".`);
}

function parseInterface(address: string): string {
  if (isIP(address) !== 0 || address === 'localhost') return address;
  throw new ArgumentError(`--interface must be an IP address or localhost, not "${address}".`);
}
