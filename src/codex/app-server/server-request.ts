/** What `codex app-server` asks of its client. Pure. */
import { z } from 'zod';
import { commandText, splitWords } from '../command-line.ts';
import { defined } from '../defined.ts';
import type { FileChange } from '../item-data.ts';

/** Something that Codex may not do without being allowed to. */
export interface AskedApproval {
  approvalId: string;
  kind: 'command' | 'fileChange';
  command?: string;
  cwd?: string;
  changes?: FileChange[];
  reason?: string;
  turnId: string;
  itemId: string;
}

/** `changesOf` finds what an item that was begun changes: the request itself does not say. */
export function approvalOf(
  approvalId: string,
  method: string,
  params: unknown,
  changesOf: (itemId: string) => FileChange[] | undefined,
): AskedApproval | undefined {
  const parsed = approvalParams.safeParse(params);
  if (!parsed.success) return undefined;
  const { turnId, itemId, command, cwd, reason } = parsed.data;
  const asked = { approvalId, turnId, itemId, ...defined({ reason }) };
  switch (method) {
    case 'item/commandExecution/requestApproval': {
      const typed = command == null ? undefined : commandText(splitWords(command) ?? [command]);
      return { ...asked, kind: 'command', ...defined({ command: typed, cwd }) };
    }
    case 'item/fileChange/requestApproval':
      return { ...asked, kind: 'fileChange', ...defined({ changes: changesOf(itemId) }) };
    default:
      return undefined;
  }
}

/**
 * What is answered to all other requests, so that Codex never waits for somebody who
 * cannot answer. Without a result the request is refused as unknown.
 */
export function refusalOf(method: string): { result?: object; reason: string } {
  switch (method) {
    case 'item/permissions/requestApproval':
      return {
        result: { permissions: {}, scope: 'turn' },
        reason: 'what a run may do is settled when it begins',
      };
    case 'item/tool/requestUserInput':
      return { result: { answers: {} }, reason: 'nobody can be asked in the middle of a run' };
    case 'mcpServer/elicitation/request':
      return {
        result: { action: 'decline', content: null, _meta: null },
        reason: 'nobody can be asked in the middle of a run',
      };
    case 'item/tool/call': {
      const text = 'This client has no tools of its own.';
      return {
        result: { success: false, contentItems: [{ type: 'inputText', text }] },
        reason: 'the bridge has no tools of its own',
      };
    }
    default:
      return { reason: `oa-bridge does not answer ${method.slice(0, 100)}` };
  }
}

const text = z.string().nullish().catch(undefined);
const approvalParams = z.object({
  turnId: z.string(),
  itemId: z.string(),
  command: text,
  cwd: text,
  reason: text,
});
