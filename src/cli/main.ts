/** Runs one command, and tells a person why it failed, if it did. */
import { EXIT, type ExitCode } from './exit-codes.ts';
import { program } from './program.ts';
import { report } from './report.ts';

/** @param args without the names of node and of the script */
export async function main(args: string[]): Promise<ExitCode> {
  process.stdout.on('error', endUnread);
  try {
    return await program(args);
  } catch (error) {
    return report(error);
  }
}

/** Who reads what we print may leave before its end, as `head` does. */
function endUnread(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.unread);
}
