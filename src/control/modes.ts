/** What a run may touch and when it asks; Codex's own words. */
import { z } from 'zod';

export const sandboxMode = z.enum(['read-only', 'workspace-write', 'danger-full-access'], {
  error: 'must be read-only, workspace-write or danger-full-access',
});
export type SandboxMode = z.infer<typeof sandboxMode>;

export const approvalMode = z.enum(['never', 'on-request', 'on-failure', 'untrusted'], {
  error: 'must be never, on-request, on-failure or untrusted',
});
export type ApprovalMode = z.infer<typeof approvalMode>;

/**
 * What a run does whose session another process has open:
 * fail  it ends, and says who has it
 * wait  until it is free
 * fork  a session of its own, which begins as a copy
 */
export const onConflict = z.enum(['fail', 'wait', 'fork']);
export type OnConflict = z.infer<typeof onConflict>;

/**
 * accept            this once
 * acceptForSession  this, and what is alike, until the session ends
 * decline           not this; Codex goes on without
 * cancel            not this, and the turn ends
 */
export const approvalDecision = z.enum(['accept', 'acceptForSession', 'decline', 'cancel']);
export type ApprovalDecision = z.infer<typeof approvalDecision>;
