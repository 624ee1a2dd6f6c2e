#!/usr/bin/env node
/** The command `oa-bridge`. */
import { EXIT } from './cli/exit-codes.ts';
import { program } from './cli/program.ts';
import { report } from './cli/report.ts';

try {
  process.exitCode = await program(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error) ?? EXIT.failed;
}
