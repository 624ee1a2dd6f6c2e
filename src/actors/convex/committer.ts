import { fromCallback, type CallbackActorLogic } from 'xstate';
import { api } from '../../../convex/_generated/api.js';
import { defined } from '../../codex/defined.ts';
import type { CommitterCommand, CommitterEvent } from '../../machines/convex-writer.ts';
import type { WriteJob } from '../../machines/protocol.ts';
import { commitJob, type IngestPort } from './commit-job.ts';
import type { ConvexConnection } from './connection.ts';
import { convexFailure } from './convex-failure.ts';
import type { Redaction } from './redaction.ts';
import { recall } from './recall.ts';
import { RunJoins } from './run-joins.ts';
import { StreamedPieces } from './streamed-pieces.ts';

interface CommitterOptions {
  connection: Pick<ConvexConnection, 'mutation' | 'query'>;
  /** Whose cursors and runs these are. */
  machineId: string;
  redaction: Redaction;
}

/** The writer's hands: redacts, joins sightings, commits jobs, recalls what an earlier life left. */
export function committer({
  connection,
  machineId,
  redaction,
}: CommitterOptions): CallbackActorLogic<CommitterCommand> {
  return fromCallback<CommitterCommand>(({ sendBack, receive }) => {
    const joins = new RunJoins();
    /** Joined jobs until they are done: another attempt must not be matched again. */
    const joined = new Map<string, WriteJob>();
    const pieces = new StreamedPieces((threadId, { item, seq }) => {
      // What may be the beginning of a secret is taken out too: the item is partial.
      const shown = redaction.item(item, joins.directoryOfRun(item.runId));
      const { key, kind, role, text = '', data, ts, turnId, itemId, runId } = shown;
      const known = defined({ role, data, turnId, itemId, runId });
      const piece = { threadId, key, kind, text, seq, ts, provisional: true, ...known };
      return connection.mutation(api.messages.upsertStreamed, piece);
    });
    const report = (event: CommitterEvent) => sendBack(event);

    const join = ({ job, settles }: CommitterCommand & { type: 'commit.start' }): WriteJob => {
      const known = joined.get(job.id);
      if (known) return known;
      // Before the sightings meet: what the stream showed, what Convex still has and what
      // the file says are compared as they are written.
      const redacted = redaction.job(job, joins.directoryOf(job));
      const items = settles === undefined ? joins.apply(redacted) : joins.settle(settles);
      const ended = items.filter(({ partial }) => partial !== true).map(({ key }) => key);
      pieces.forget(job.thread.threadId, ended);
      const fresh = { ...redacted, items };
      joined.set(job.id, fresh);
      return fresh;
    };

    const commit = async (command: CommitterCommand & { type: 'commit.start' }): Promise<void> => {
      const { attempt } = command;
      const jobId = command.job.id;
      try {
        const ingest: IngestPort = (batch) => connection.mutation(api.messages.ingest, batch);
        const result = await commitJob(ingest, machineId, join(command));
        joined.delete(jobId);
        report({ type: 'commit.done', jobId, attempt, result });
      } catch (error) {
        report({ type: 'commit.failed', jobId, attempt, error: convexFailure(error) });
      }
    };

    const recallRuns = async (): Promise<void> => {
      try {
        const runs = await recall(
          (args) => connection.query(api.messages.provisional, args),
          machineId,
        );
        joins.restore(
          runs.map(({ run, rows }) => ({
            run,
            rows: rows.map((row) => redaction.item(row, run.cwd)),
          })),
        );
        report({ type: 'recall.done', runs: runs.map(({ run }) => run) });
      } catch (error) {
        report({ type: 'recall.failed', error: convexFailure(error) });
      }
    };

    receive((command) => {
      switch (command.type) {
        case 'commit.start':
          void commit(command);
          break;
        case 'commit.forget':
          joined.delete(command.jobId);
          break;
        case 'write.pieces':
          for (const piece of command.pieces) pieces.show(command.threadId, piece);
          break;
        case 'recall.start':
          void recallRuns();
          break;
        default:
          joins.note(command);
      }
    });
    return () => pieces.stop();
  });
}
