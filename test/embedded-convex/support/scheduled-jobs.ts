import type { Value } from 'convex/values';
import type { Executor, FunctionOutcome } from '../../../src/embedded-convex/executor.ts';
import { valueOf } from './test-executor.ts';
import type { TestExecutor } from './test-executor.ts';

export interface JobRow {
  _id: string;
  _creationTime: number;
  name: string;
  args: Value[];
  scheduledTime: number;
  completedTime?: number;
  state: { kind: string; error?: string };
}

/** For the functions of a test: all jobs, and one of them. */
export const jobFunctions = `
export const jobs = query(async (ctx) => await ctx.db.system.query('_scheduled_functions').collect());
export const job = query({ args: { id: v.string() }, handler: async (ctx, { id }) => await ctx.db.system.get(id as never) });
`;

/** The id that a function returned. */
export function idOf(result: { outcome: FunctionOutcome }): string {
  const id = valueOf(result);
  if (typeof id !== 'string') throw new Error('it returned no id');
  return id;
}

export async function jobsOf(t: Pick<TestExecutor, 'query'>): Promise<JobRow[]> {
  // What the table has.
  return valueOf(await t.query('jobs')) as unknown as JobRow[];
}

/** Resolves to all jobs as soon as none of them waits or runs. */
export function finishedJobs(t: TestExecutor): Promise<JobRow[]> {
  return jobsWhen(t, (jobs) =>
    jobs.every(({ state }) => /success|failed|canceled/.test(state.kind)),
  );
}

/** Looks again after each commit. */
export async function jobsWhen(
  t: Pick<TestExecutor, 'query'> & { executor: Executor },
  isReached: (jobs: JobRow[]) => boolean,
): Promise<JobRow[]> {
  let committed = Promise.withResolvers<void>();
  const stop = t.executor.onCommit(() => committed.resolve());
  try {
    for (;;) {
      const jobs = await jobsOf(t);
      if (isReached(jobs)) return jobs;
      await committed.promise;
      committed = Promise.withResolvers<void>();
    }
  } finally {
    stop();
  }
}
