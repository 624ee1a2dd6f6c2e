/** The commands of `oa-bridge`, their arguments and their help. */
import { Command, CommanderError, Option } from 'commander';
import { loadConfig, settings, type Config, type Setting, type SettingName } from '../config.ts';
import { packageVersion } from '../version.ts';
import type { BackfillFlags } from './backfill.ts';
import type { ConvexFlags } from './convex.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { InspectFlags } from './inspect.ts';
import type { LogsFlags } from './logs.ts';
import type { PairFlags } from './pair.ts';
import type { RecordFlags } from './record.ts';
import type { ReplayFlags } from './replay.ts';
import type { RunsFlags } from './runs.ts';
import type { SearchFlags } from './search.ts';
import type { StatusFlags } from './status.ts';
import type { TokenFlags } from './token.ts';
import type { VerifyFlags } from './verify.ts';

/**
 * Runs one command and returns its exit code.
 * @param args without the names of node and of the script
 */
export async function program(args: string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const run =
    <Extra extends unknown[]>(command: (config: Config, ...extra: Extra) => Promise<ExitCode>) =>
    async (flags: Flags, ...extra: Extra) => {
      exitCode = await command(loadConfig(flags, process.env), ...extra);
    };

  const root = new Command('oa-bridge')
    .description('Runs Codex for your clients and mirrors every Codex session into Convex.')
    .version(packageVersion(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(add --help for what is allowed)')
    .addHelpText('after', EXIT_HELP);

  withSettings(root.command('start'), EVERYTHING)
    .description('start the daemon in the foreground')
    .action(run(async (config) => (await import('./start.ts')).start(config)));

  withSettings(root.command('status'), LOCAL)
    .description('show every actor of the running daemon and its state')
    .option('--all', 'each session file and client in a line of its own')
    .option('--json', 'for machines: the reply of bridge.status as it is')
    .action((flags: Flags & StatusFlags) =>
      run(async (config) => (await import('./status.ts')).status(config, flags))(flags),
    );

  withSettings(root.command('submit'), LOCAL)
    .description('run a prompt with Codex, and print what it answers; reads standard input for "-"')
    .argument('<text...>', 'the prompt, or "-"')
    .option('--thread <id>', 'continue this thread (its document id); without it a new one is made')
    .option('--project <id>', 'with the directory, model and permissions of this project')
    .option('--new', 'begin a new session of Codex, also where the thread has one')
    .option(
      '--cd <directory>',
      'working directory of a new thread without a project (default: here)',
    )
    .addOption(
      new Option('--on-conflict <what>', 'when another process has the session open')
        .choices(['fail', 'wait', 'fork'])
        .default('fail'),
    )
    .option('--follow', 'print the answer as it comes; the default', true)
    .option('--no-follow', 'only begin it, and print its id')
    .option('--json', "print Codex's own lines instead of the answer")
    .action((text: string[], flags: Flags & SubmitFlags) =>
      run(async (config) => (await import('./submit.ts')).submit(config, text.join(' '), flags))(
        flags,
      ),
    );

  withSettings(root.command('runs'), LOCAL)
    .description('the newest runs: what each does, what it used, and why it ended')
    .option('--thread <id>', 'only those of this thread')
    .option('--limit <number>', 'at most so many, 1 to 500 (default 20)')
    .option('--json', 'for machines: the rows as they are')
    .action((flags: Flags & RunsFlags) =>
      run(async (config) => (await import('./runs.ts')).runs(config, flags))(flags),
    );

  withSettings(root.command('interrupt'), LOCAL)
    .description('end a run, or withdraw one that waits')
    .argument('[run]', 'its id; without it the newest that goes on')
    .action((runId: string | undefined, flags: Flags) =>
      run(async (config) => (await import('./runs.ts')).interrupt(config, runId))(flags),
    );

  withSettings(root.command('attach'), LOCAL)
    .description('print what a run has printed and what is to come; Ctrl-C leaves it alone')
    .argument('<run>', 'its id')
    .option('--json', "print Codex's own lines instead of the answer")
    .action((runId: string, flags: Flags & { json?: boolean }) =>
      run(async (config) => (await import('./runs.ts')).attach(config, runId, flags.json ?? false))(
        flags,
      ),
    );

  withSettings(root.command('backfill'), LOCAL)
    .description('import old session files now, all of them or some, and watch how far it is')
    .option('--since <date>', 'only what changed then or later: 2026-01-31, or with a time')
    .option('--limit <number>', 'only so many sessions, the newest')
    .option('--path <path>', 'only this session file, or those below this directory, wherever')
    .option('--attach', 'watch the backfill that goes on, also the one of the start')
    .option('--detach', 'do not wait for its end')
    .option('--cancel', 'end the backfill that goes on; what is imported stays')
    .option('--json', 'for machines: each bridge.convex_backfill frame on a line of its own')
    .addHelpText('after', BACKFILL_HELP)
    .action((flags: Flags & BackfillFlags) =>
      run(async (config) => (await import('./backfill.ts')).backfill(config, flags))(flags),
    );

  withSettings(root.command('search'), LOCAL)
    .description('find messages in all conversations; the last word may be half typed')
    .argument('<words...>', 'what to look for')
    .option('--thread <id>', 'only in this thread')
    .addOption(new Option('--kind <kind>', 'only rows of this kind').choices(KINDS))
    .option('--limit <number>', 'at most so many, 1 to 200 (default 20)')
    .option('--json', 'for machines: the rows, each with the title of its thread')
    .action((words: string[], flags: Flags & SearchFlags) =>
      run(async (config) => (await import('./search.ts')).search(config, words.join(' '), flags))(
        flags,
      ),
    );

  withSettings(root.command('verify'), LOCAL)
    .description('compare session files with what Convex holds of them; exit code 1: they differ')
    .argument('[thread or file]', "a thread's id, or the path of a session file")
    .option('--all', 'every session file on this machine')
    .option('--repair', 'insert what is missing, and put right what differs')
    .option('--remove-extra', 'with --repair: also delete rows that nothing accounts for')
    .option('--json', 'for machines: the last bridge.sessions_verify frame as it is')
    .action((target: string | undefined, flags: Flags & VerifyFlags) =>
      run(async (config) => (await import('./verify.ts')).verify(config, target, flags))(flags),
    );

  withSettings(root.command('inspect'), LOCAL)
    .description('see the machines of the running daemon at work, in a browser')
    .option('--port <port>', 'loopback port of the page; 0 picks a free one', '0')
    .option('--open', 'open it in the browser')
    .option('--stately', "serve Stately's own inspector instead (https://stately.ai/inspect)")
    .action((flags: Flags & InspectFlags) =>
      run(async (config) => (await import('./inspect.ts')).inspect(config, flags))(flags),
    );

  withSettings(root.command('record'), LOCAL)
    .description('record what goes into the machines of the running daemon, for a bug report')
    .option('--out <file>', 'a new file; without it one in this directory, named by the time')
    .option('--for <seconds>', 'end by itself after so long')
    .addHelpText('after', RECORD_HELP)
    .action((flags: Flags & RecordFlags) =>
      run(async (config) => (await import('./record.ts')).record(config, flags))(flags),
    );

  root
    .command('replay')
    .description('feed a recording to the machines of this version, and compare their states')
    .argument('<file>', 'what "oa-bridge record" wrote')
    .option('--all', 'also show the events that changed no state')
    .option('--json', 'for machines: every step')
    .option('--inspect', 'then show it in the inspector')
    .option('--port <port>', 'with --inspect: its loopback port; 0 picks a free one', '0')
    .option('--open', 'with --inspect: open it in the browser')
    .addHelpText('after', '\nExit codes: 0 the same states, 1 a machine went elsewhere.')
    .action((file: string, flags: ReplayFlags) =>
      run(async () => (await import('./replay.ts')).replay(file, flags))({}),
    );

  withSettings(root.command('token'), LOCAL)
    .description('print the token that clients present to the bridge, making one if there is none')
    .option('--convex', "print a token for Convex instead, as a client's setAuth takes it; 1 hour")
    .option('--rotate', 'make a new token; a running bridge ends the sessions of the old one')
    .option(
      '--jwks [with]',
      'print the public keys that a deployment checks tokens with; adds ours',
    )
    .action((flags: Flags & TokenFlags) =>
      run(async (config) => (await import('./token.ts')).token(config, flags))(flags),
    );

  withSettings(root.command('pair'), LOCAL)
    .description('let a phone on the same network become a client, by a QR code that works once')
    .option('--address <host>', 'show this address of the machine, where it has several')
    .option('--json', 'for machines: the bridge.pairing frame, then who used it')
    .action((flags: Flags & PairFlags) =>
      run(async (config) => (await import('./pair.ts')).pair(config, flags))(flags),
    );

  withSettings(root.command('doctor'), EVERYTHING)
    .description('look at everything around the bridge, and say what is wrong and what to do')
    .option('--json', 'for machines: {subject, verdict, found, advice} of each')
    .action((flags: Flags & { json?: boolean }) =>
      run(async (config) => (await import('./doctor.ts')).doctor(config, flags.json ?? false))(
        flags,
      ),
    );

  withSettings(root.command('logs'), ['home'])
    .description('show what the daemon has said')
    .option('-n, --lines <number>', 'so many lines, the newest', '100')
    .option('-f, --follow', 'go on with what it says from now on, until Ctrl-C')
    .option('--json', 'the lines as they are')
    .action((flags: Flags & LogsFlags) =>
      run(async (config) => (await import('./logs.ts')).logs(config, flags))(flags),
    );

  const service = root
    .command('service')
    .description('have the system start the bridge, restart it and end it (systemd, launchd)');
  withSettings(service.command('install'), EVERYTHING)
    .description('start it now and at each login, with the settings given here')
    .option('--print', 'only show the file')
    .action((flags: Flags & { print?: boolean }) =>
      run(async (config) =>
        (await import('./service.ts')).installService(config, flags, flags.print ?? false),
      )(flags),
    );
  service
    .command('uninstall')
    .description('end it, and start it no more')
    .action(() => run(async () => (await import('./service.ts')).uninstallService())({}));
  service
    .command('status')
    .description('whether it is installed and runs; exit code 1: it does not')
    .action(() => run(async () => (await import('./service.ts')).serviceStatus())({}));

  withSettings(root.command('validate'), ['home'])
    .description('check PROJECT.md and SKILL.md files, and say what is wrong and where')
    .argument('[paths...]', 'files and folders; without any, those of the home')
    .option('--json', 'print what was found as JSON')
    .action((paths: string[], flags: Flags & { json?: boolean }) =>
      run(async (config) =>
        (await import('./validate.ts')).validate(config, paths, flags.json ?? false),
      )(flags),
    );

  const convex = withSettings(root.command('convex'), [...CONVEX]);
  convex
    .description('run the embedded Convex backend alone, without the bridge')
    .option('--functions <directory>', "serve these functions instead of the bridge's own")
    .option('--watch', 'load the functions anew when one of their files changes')
    .option(
      // Not --env-file: Node takes that for its own, wherever it stands.
      '--environment-file <file>',
      'environment variables of the functions, one name=value a line',
    )
    .option('--json', 'print the address as one line of JSON')
    .addHelpText('after', ADMIN_HELP)
    .action((flags: Flags & ConvexFlags) =>
      run(async (config) => (await import('./convex.ts')).convex(config, flags))(flags),
    );

  withSettings(convex.command('export'), [...CONVEX])
    .description('write all data as a ZIP that "npx convex import" takes, also while it is served')
    .argument('<file>', 'a new file')
    .action((file: string, _: unknown, command: Command) =>
      run(async (config) => (await import('./convex-snapshot.ts')).exportConvex(config, file))(
        command.optsWithGlobals(),
      ),
    );

  withSettings(convex.command('import'), [...CONVEX])
    .description('take over an export of Convex while nobody serves the database')
    .argument(
      '<file>',
      'a ZIP from "oa-bridge convex export", "npx convex export" or the dashboard',
    )
    .option('--replace', 'rename the present database and put this one in its place')
    .action((file: string, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags & { replace?: boolean }>();
      return run(async (config) =>
        (await import('./convex-snapshot.ts')).importConvex(config, file, flags.replace ?? false),
      )(flags);
    });

  try {
    await root.parseAsync(args, { from: 'user' });
  } catch (error) {
    // Commander has printed its message; help and version end with code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    throw error;
  }
  return exitCode;
}

export interface SubmitFlags {
  thread?: string;
  project?: string;
  new?: boolean;
  cd?: string;
  onConflict?: string;
  follow: boolean;
  json?: boolean;
}

type Flags = Partial<Record<SettingName, string>>;

const EVERYTHING = Object.keys(settings) as SettingName[];

/** What a command needs in order to find the daemon of this machine. */
const LOCAL: SettingName[] = ['home', 'bind', 'token'];
const CONVEX: SettingName[] = ['home', 'convexPort', 'convexInterface', 'convexDb'];

/** Commander wraps its own text only: what is added here has lines of at most 80 characters. */
const BACKFILL_HELP = `
Ctrl-C ends only the watching: the backfill goes on in the bridge, over its
restarts too.
Exit codes: 0 all files are imported (or --detach), 1 some failed, or it was
cancelled, 130 after Ctrl-C.`;

/** Of rows; `preface` is what the harness told the model. */
const KINDS = [
  'message',
  'reason',
  'cmd',
  'file',
  'search',
  'mcp',
  'todo',
  'turn',
  'error',
  'preface',
];

const RECORD_HELP = `
It holds the names, ids and paths of what happened, and no text: neither prompts
nor answers, nor what commands print. Look at it before you give it away.`;

const ADMIN_HELP = `
"npx convex run", "data" and "env list" work against it with
  CONVEX_SELF_HOSTED_URL        the address that it prints
  CONVEX_SELF_HOSTED_ADMIN_KEY  what the file "admin-key" beside the database
                                holds (only you may read it)`;

const EXIT_HELP = `
Every setting can also be given by its environment variable, named in the help
of each command.
Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration, 3 nobody
answers, 130 interrupted.`;

function withSettings(command: Command, names: SettingName[]): Command {
  for (const name of names) {
    const setting: Setting = settings[name];
    if (setting.flag === undefined) {
      const text = `\n${setting.env}: ${setting.description}\n(${setting.default})`;
      command.addHelpText('after', text);
      continue;
    }
    const shownDefault = setting.default === '' ? '' : `, default ${setting.default}`;
    command.option(setting.flag, `${setting.description} (${setting.env}${shownDefault})`);
  }
  return command;
}
