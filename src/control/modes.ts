/** What a run may touch and when it asks; Codex's own words. */
import { z } from 'zod';

export const sandboxMode = z.enum(['read-only', 'workspace-write', 'danger-full-access']);
export type SandboxMode = z.infer<typeof sandboxMode>;

export const approvalMode = z.enum(['never', 'on-request', 'on-failure', 'untrusted']);
export type ApprovalMode = z.infer<typeof approvalMode>;
