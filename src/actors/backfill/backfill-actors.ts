import { fromPromise } from 'xstate';
import type { Job } from '../../machines/backfill-status.ts';
import { checkAskedPath, type ReadablePlaces } from '../sessions/asked-path.ts';
import type { JobFile } from './job-file.ts';

/** What `backfill.provide` takes as its actors. */
export function backfillActors({ file, places }: { file: JobFile; places: ReadablePlaces }) {
  return {
    openJob: fromPromise<Job, Job>(async ({ input: job }) => {
      const { path } = job.selection;
      const opened =
        path === undefined
          ? job
          : { ...job, selection: { ...job.selection, path: checkAskedPath(path, places) } };
      await file.save(opened);
      return opened;
    }),
    forgetJob: fromPromise<void>(() => file.forget()),
  };
}
