#!/usr/bin/env node
/** The command `oa-bridge`. A Node that cannot run it loads nothing of it, and says so. */

/** As `engines` in package.json has it. */
const LEAST_NODE = 24;

const { node } = process.versions;
if (Number(node.split('.')[0]) < LEAST_NODE) {
  process.stderr.write(
    `oa-bridge: Node ${node} is too old for it; install Node ${LEAST_NODE} or newer.\n`,
  );
  process.exitCode = 2;
} else {
  const { main } = await import('./cli/main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
