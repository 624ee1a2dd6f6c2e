/** What was said before. */
import { type Command, Option } from 'commander';
import type { BackfillFlags } from '../backfill.ts';
import type { SearchFlags } from '../search.ts';
import type { VerifyFlags } from '../verify.ts';
import { LOCAL, type Flags, type Run, withSettings } from './settings-flags.ts';

export function historyCommands(root: Command, run: Run): void {
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
      run(flags, async (config) => (await import('../backfill.ts')).backfill(config, flags)),
    );

  withSettings(root.command('search'), LOCAL)
    .description('find messages in all conversations; the last word may be half typed')
    .argument('<words...>', 'what to look for')
    .option('--thread <id>', 'only in this thread')
    .addOption(new Option('--kind <kind>', 'only rows of this kind').choices(KINDS))
    .option('--limit <number>', 'at most so many, 1 to 200 (default 20)')
    .option('--json', 'for machines: the rows, each with the title of its thread')
    .action((words: string[], flags: Flags & SearchFlags) =>
      run(flags, async (config) =>
        (await import('../search.ts')).search(config, words.join(' '), flags),
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
      run(flags, async (config) => (await import('../verify.ts')).verify(config, target, flags)),
    );
}

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
