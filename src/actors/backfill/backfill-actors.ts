import { fromPromise } from 'xstate';
import type { Job } from '../../machines/backfill-status.ts';
import { checkAskedPath } from '../sessions/asked-path.ts';
import type { JobFile } from './job-file.ts';

/** What `backfill.provide` takes as its actors. */
export function backfillActors({ file, root }: { file: JobFile; root: string }) {
  return {
    openJob: fromPromise<Job, Job>(async ({ input: job }) => {
      const { path } = job.selection;
      const opened =
        path === undefined
          ? job
          : { ...job, selection: { ...job.selection, path: checkAskedPath(path, root) } };
      await file.save(opened);
      return opened;
    }),
    forgetJob: fromPromise<void>(() => file.forget()),
  };
}
