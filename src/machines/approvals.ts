/** What Codex may not do without being allowed to, and what was decided. Pure. */
import type { ApprovalFrame } from '../control/frames.ts';
import type { ApprovalDecision } from '../control/modes.ts';

/** As Codex asks. */
export type ApprovalRequest = Pick<
  ApprovalFrame,
  'approvalId' | 'kind' | 'command' | 'cwd' | 'changes' | 'reason' | 'turnId' | 'itemId'
>;

/** As everyone is told. */
export type Approval = Omit<ApprovalFrame, 'type' | 'threadDocId' | 'threadId'>;

/** Those that wait for an answer, by id, in the order in which Codex asked. */
export type OpenApprovals = Readonly<Record<string, Approval>>;

/** Why an approval is open no more. */
export type ApprovalEnd =
  | { state: 'answered'; decision: ApprovalDecision; decidedBy: string }
  /** Nobody answered in time: declined. */
  | { state: 'expired' }
  /** Codex does not wait for it any more. */
  | { state: 'withdrawn' };

export function opened(
  request: ApprovalRequest,
  { runId, now, timeout }: { runId: string; now: number; timeout: number },
): Approval {
  return { ...request, runId, state: 'open', requestedAt: now, expiresAt: now + timeout };
}

export function decided(approval: Approval, end: ApprovalEnd, now: number): Approval {
  const closed = { ...approval, state: end.state, decidedAt: now };
  switch (end.state) {
    case 'answered':
      return { ...closed, decision: end.decision, decidedBy: end.decidedBy };
    case 'expired': {
      const seconds = Math.round((approval.expiresAt - approval.requestedAt) / 1000);
      return {
        ...closed,
        decision: 'decline',
        explanation: `Nobody answered within ${seconds} s, so it was declined.`,
      };
    }
    case 'withdrawn':
      return { ...closed, explanation: 'Codex does not wait for an answer any more.' };
    default:
      return end satisfies never;
  }
}

export function without(approvals: OpenApprovals, approvalId: string): OpenApprovals {
  const { [approvalId]: _, ...others } = approvals;
  return others;
}
