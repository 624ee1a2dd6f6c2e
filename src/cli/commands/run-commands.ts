/** Runs of Codex. */
import { type Command, Option } from 'commander';
import type { RunsFlags } from '../runs.ts';
import type { SubmitFlags } from '../submit.ts';
import { LOCAL, type Flags, type Run, withSettings } from './settings-flags.ts';

export function runCommands(root: Command, run: Run): void {
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
      run(flags, async (config) =>
        (await import('../submit.ts')).submit(config, text.join(' '), flags),
      ),
    );

  withSettings(root.command('runs'), LOCAL)
    .description('the newest runs: what each does, what it used, and why it ended')
    .option('--thread <id>', 'only those of this thread')
    .option('--limit <number>', 'at most so many, 1 to 500 (default 20)')
    .option('--json', 'for machines: the rows as they are')
    .action((flags: Flags & RunsFlags) =>
      run(flags, async (config) => (await import('../runs.ts')).runs(config, flags)),
    );

  withSettings(root.command('interrupt'), LOCAL)
    .description('end a run, or withdraw one that waits')
    .argument('[run]', 'its id; without it the newest that goes on')
    .action((runId: string | undefined, flags: Flags) =>
      run(flags, async (config) => (await import('../runs.ts')).interrupt(config, runId)),
    );

  withSettings(root.command('attach'), LOCAL)
    .description('print what a run has printed and what is to come; Ctrl-C leaves it alone')
    .argument('<run>', 'its id')
    .option('--json', "print Codex's own lines instead of the answer")
    .action((runId: string, flags: Flags & { json?: boolean }) =>
      run(flags, async (config) =>
        (await import('../runs.ts')).attach(config, runId, flags.json ?? false),
      ),
    );
}
