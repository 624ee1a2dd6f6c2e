/** How a failed command tells a person why. */
import { ControlFailure } from '../control/connect-bridge.ts';
import { BridgeError, type ErrorCode } from '../errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** Prints the error to standard error, and returns the exit code that fits it. */
export function report(error: unknown): ExitCode {
  if (error instanceof BridgeError) {
    process.stderr.write(`oa-bridge: ${error.message.replace(/\.$/, '')}. [${error.code}]\n`);
    return EXIT_OF[error.code] ?? EXIT.failed;
  }
  if (error instanceof ControlFailure) {
    process.stderr.write(`oa-bridge: ${error.message} [${error.code}]\n`);
    return EXIT.failed;
  }
  // Not one of ours, so a fault of the program: the stack is what a report needs.
  process.stderr.write(`oa-bridge: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failed;
}

const EXIT_OF: Partial<Record<ErrorCode, ExitCode>> = {
  arguments_invalid: EXIT.usage,
  config_invalid: EXIT.usage,
  home_unsafe: EXIT.usage,
  bridge_unreachable: EXIT.unreachable,
  convex_unavailable: EXIT.unreachable,
};
