/** The same random programs on convex-test and on our engine: both must see the same. */
import { convexTest as officialConvexTest } from 'convex-test';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { convexTest } from '../../src/embedded-convex/testing/convex-test.ts';
import { program } from './support/differential/program.ts';
import { runProgram } from './support/differential/run-program.ts';

// The same interface, with types that the compiler cannot compare.
const theirConvexTest = officialConvexTest as unknown as typeof convexTest;

/** `npm run test:differential` sets it, and then every run has a seed of its own. */
const campaign = process.env['DIFFERENTIAL_RUNS'];
const runs = Number(campaign ?? 150);
const seed = campaign === undefined ? 11 : Date.now();

test(
  'writes, queries and pages between writes give what convex-test gives',
  { timeout: 30_000 + runs * 200 },
  async () => {
    await fc.assert(
      fc.asyncProperty(program, async (steps) => {
        const theirs = await runProgram(theirConvexTest, steps);
        const ours = await runProgram(convexTest, steps);
        expect(ours).toEqual(theirs);
      }),
      { seed, numRuns: runs },
    );
  },
);
