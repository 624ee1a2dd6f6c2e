/**
 * Where the two sightings of a run's items meet: what its stream shows at once, and
 * what its session file says a moment later. One row serves both.
 */
import { createSightings, restoreSightings, type Sightings } from '../../codex/sightings.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { RunSightingEvent, WriteJob } from '../../machines/protocol.ts';
import type { RecalledRun } from './recall.ts';

interface JoinedRun {
  runId: string;
  startedAt: number;
  resumeId?: string;
  cwd?: string;
  sightings: Sightings;
}

/** Runs kept; as many as the writer remembers, and those that are under way. */
const MAX_RUNS = 256;

export class RunJoins {
  readonly #runs = new Map<string, JoinedRun>();

  note(event: RunSightingEvent): void {
    const known = this.#runs.get(event.runId);
    if (event.type === 'run.expected') {
      const { runId, startedAt, resumeId, cwd } = event;
      this.#remember({
        ...known,
        runId,
        startedAt,
        cwd,
        ...(resumeId === undefined ? {} : { resumeId }),
        sightings: known?.sightings ?? createSightings({ runId, startedAt }),
      });
    } else if (event.type === 'run.session' && known) {
      known.resumeId = event.resumeId;
    }
  }

  /** Takes up what Convex still has; called before anything is committed. */
  restore(recalled: RecalledRun[]): void {
    for (const { run, rows } of recalled) {
      const { runId, startedAt, resumeId, cwd } = { ...run, ...this.#runs.get(run.runId) };
      this.#remember({
        runId,
        startedAt,
        ...(resumeId === undefined ? {} : { resumeId }),
        ...(cwd === undefined ? {} : { cwd }),
        sightings: restoreSightings({ runId, startedAt }, rows),
      });
    }
  }

  /** Where the thread of a job works, as far as the job or its run says. */
  directoryOf({ thread, items }: WriteJob): string | undefined {
    return thread.cwd ?? this.directoryOfRun(items[0]?.runId);
  }

  directoryOfRun(runId: string | undefined): string | undefined {
    return this.#runs.get(runId ?? '')?.cwd;
  }

  /** The items of a job as they are to be written. Once a job: it moves the matching on. */
  apply(job: WriteJob): ThreadItem[] {
    if (job.origin === 'run') {
      const run = this.#runs.get(job.items[0]?.runId ?? '');
      return run ? run.sightings.streamed(job.items) : job.items;
    }
    const { resumeId } = job.thread;
    if (resumeId === undefined) return job.items;
    // The newest run first: a turn that began after its start is its own.
    const runs = [...this.#runs.values()]
      .filter((run) => run.resumeId === resumeId)
      .sort((one, other) => other.startedAt - one.startedAt);
    return job.items.flatMap((item) => filedBy(runs, item));
  }

  /** The rows that the run's file lacks, as final: they are real all the same. */
  settle(runId: string): ThreadItem[] {
    return this.#runs.get(runId)?.sightings.leftover(Date.now()) ?? [];
  }

  #remember(run: JoinedRun): void {
    this.#runs.delete(run.runId);
    this.#runs.set(run.runId, run);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > MAX_RUNS && oldest !== undefined) this.#runs.delete(oldest);
  }
}

/** The item as the run whose turn it is has matched it; the other runs do not see it. */
function filedBy(runs: JoinedRun[], item: ThreadItem): ThreadItem[] {
  for (const { runId, sightings } of runs) {
    const [matched, ...more] = sightings.filed([item]);
    // Nothing came back: the stream shows it, until its end is in the file.
    if (matched === undefined) return [];
    if (matched.runId === runId) return [matched, ...more];
  }
  return [item];
}
