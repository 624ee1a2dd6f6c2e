/**
 * `npm test`: every check, then every test; ends with the plain line
 * "N passed, N failed". Arguments are handed to vitest (e.g. a file name).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';

const CHECKS = {
  format: ['oxfmt', '--check', '.'],
  lint: ['oxlint', '--deny-warnings'],
  types: ['tsc', '-p', '.'],
  'types of convex/': ['tsc', '-p', 'convex'],
  'types of the inspector': ['tsc', '-p', 'src/inspector'],
  'types of the page': ['tsc', '-p', 'test/e2e/page'],
  docs: ['node', 'scripts/docs.ts', '--check'],
  unused: ['knip'],
} as const;

const report = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numTotalTests: z.int(),
  success: z.boolean(),
});

let passed = 0;
let failed = 0;
const only = process.argv.slice(2);

for (const [name, [command, ...args]] of Object.entries(CHECKS)) {
  console.log(`\n── ${name}: ${command} ${args.join(' ')}`);
  const { exitCode } = await run(command, args);
  if (exitCode === 0) passed += 1;
  else failed += 1;
}

const folder = mkdtempSync(join(tmpdir(), 'oa-test-'));
const reportFile = join(folder, 'report.json');
console.log('\n── tests: vitest run');
const { exitCode } = await run('vitest', [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${reportFile}`,
  ...only,
]);
try {
  const result = report.parse(JSON.parse(readFileSync(reportFile, 'utf8')));
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  // A file that fails to load, or an error outside of every test, has no failed test to count.
  if ((exitCode !== 0 || !result.success) && result.numFailedTests === 0) failed += 1;
} catch (error) {
  console.error('vitest left no report:', error);
  failed += 1;
}
rmSync(folder, { recursive: true, force: true });

console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function run(command: string, args: readonly string[]) {
  return execa(command, args, { preferLocal: true, stdio: 'inherit', reject: false });
}
