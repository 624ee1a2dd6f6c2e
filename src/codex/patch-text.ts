/** The patch language of Codex's `apply_patch` tool, as far as showing it needs. Pure. */
import type { FileChange } from './item-data.ts';

const HEADER = /^\*\*\* (Add|Update|Delete) File: (.+)$/;
const MOVE = /^\*\*\* Move to: (.+)$/;
const KINDS = { Add: 'add', Update: 'update', Delete: 'delete' } as const;

/** The changes that a patch asks for, in its order; text around the patch is passed over. */
export function patchChanges(patch: string): FileChange[] {
  const changes: FileChange[] = [];
  let body: string[] = [];
  const close = () => {
    const change = changes.at(-1);
    if (change) finish(change, body);
    body = [];
  };
  for (const line of patch.split('\n')) {
    const header = HEADER.exec(line);
    const target = MOVE.exec(line)?.[1]?.trim();
    const current = changes.at(-1);
    if (header || line.startsWith('*** End Patch')) close();
    if (header) {
      const kind = KINDS[header[1] as keyof typeof KINDS];
      changes.push({ path: (header[2] ?? '').trim(), kind });
    } else if (line.startsWith('*** End Patch')) {
      break;
    } else if (target !== undefined && current && body.length === 0) {
      current.movePath = target;
    } else {
      body.push(line);
    }
  }
  close();
  return changes;
}

function finish(change: FileChange, body: string[]): void {
  if (body.length === 0) return;
  if (change.kind === 'add') change.content = body.map((line) => `${line.slice(1)}\n`).join('');
  if (change.kind === 'update') change.diff = body.map((line) => `${line}\n`).join('');
}
