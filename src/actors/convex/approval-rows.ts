/** The rows of the table `approvals`, for the keeper of all runs. */
import { fromCallback, fromPromise, type EventObject } from 'xstate';
import { api } from '../../../convex/_generated/api.js';
import type { Id } from '../../../convex/_generated/dataModel.js';
import { defined } from '../../codex/defined.ts';
import type { ApprovalFrame } from '../../control/frames.ts';
import type { AnsweredEvent } from '../../machines/runs-events.ts';
import type { ConvexConnection } from './connection.ts';
import type { Redaction } from './redaction.ts';

/** Characters of one text of a change: a row holds a megabyte, and a person reads less. */
const MAX_CHANGE_TEXT = 16 * 1024;
/** Files of one change that a row lists. */
const MAX_CHANGES = 40;

/** Rows have secrets redacted, as those of the items have. */
export function recordApproval(connection: ConvexConnection, redaction: Redaction) {
  return fromPromise<ApprovalFrame['state'], ApprovalFrame>(async ({ input }) => {
    const { type: _, runId, threadDocId, command, changes, ...fields } = input;
    const shown = (text: string | undefined) =>
      text === undefined
        ? undefined
        : redaction.cutText(text.slice(0, MAX_CHANGE_TEXT), input.cwd).toWellFormed();
    const { approvalId, kind, turnId, itemId, state, requestedAt, expiresAt, reason, ...more } =
      fields;
    await connection.mutation(api.approvals.record, {
      approvalId,
      kind,
      turnId,
      itemId,
      state,
      requestedAt,
      expiresAt,
      ...defined(more),
      ...defined({ command: shown(command), reason: shown(reason) }),
      ...defined({ changes: changes?.slice(0, MAX_CHANGES).map((one) => cut(one, shown)) }),
      // Ids of the tables come from Convex itself.
      runId: runId as Id<'runs'>,
      threadDocId: threadDocId as Id<'threads'>,
    });
    return input.state;
  });
}

/** Sends what apps have answered, at once and after each change. */
export function approvalAnswers(connection: ConvexConnection) {
  return fromCallback<EventObject>(({ sendBack }) =>
    connection.onUpdate(api.approvals.open, {}, (rows) => {
      const answers = rows.flatMap(({ approvalId, answer }) =>
        answer === undefined
          ? []
          : [{ approvalId, decision: answer.decision, decidedBy: answer.by }],
      );
      if (answers.length > 0) sendBack({ type: 'rows.answered', answers } satisfies AnsweredEvent);
    }),
  );
}

function cut(
  { path, kind, movePath, diff, content }: NonNullable<ApprovalFrame['changes']>[number],
  shown: (text: string | undefined) => string | undefined,
) {
  return { path, kind, ...defined({ movePath, diff: shown(diff), content: shown(content) }) };
}
