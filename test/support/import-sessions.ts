/** Session files taken in by the real daemon, and what Convex then holds of them. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ConvexHttpClient } from 'convex/browser';
import { watchStatusFrame, type WatchStatusFrame } from '../../src/control/frames.ts';
import { startDaemonProcess, type DaemonProcess } from './daemon-process.ts';
import { messagesForThread, type MessageRow } from './subscriber.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface ImportedSession {
  file: string;
  threadId: string;
  rows: MessageRow[];
}

/**
 * Starts a daemon on a home that holds these files, waits until all are read, and reads
 * back every thread. Files of one thread must be given to different calls.
 */
export async function importSessions(
  files: readonly string[],
): Promise<{ sessions: ImportedSession[]; status: WatchStatusFrame }> {
  using folder = temporaryFolder();
  const named = placeSessions(files, folder.path);
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const status = await settled(daemon, files.length);
  const client = new ConvexHttpClient(daemon.convexUrl, { skipConvexDeploymentUrlCheck: true });
  client.setAuth(await daemon.convexToken());
  const sessions: ImportedSession[] = [];
  for (const { file, threadId } of named)
    sessions.push({ file, threadId, rows: await allRows(client, threadId) });
  return { sessions, status };
}

/** Copies the files to where Codex would have written them, below `<folder>/codex`. */
export function placeSessions(
  files: readonly string[],
  folder: string,
): { file: string; threadId: string }[] {
  const day = join(folder, 'codex', 'sessions', '2026', '01', '02');
  mkdirSync(day, { recursive: true });
  const named = files.map((file) => ({ file, threadId: threadIdOf(file) }));
  for (const { file, threadId } of named) {
    copyFileSync(file, join(day, `rollout-2026-01-02T03-04-05-${threadId}.jsonl`));
  }
  return named;
}

/** The owner of a file: the id of its first meta line, or one made of its content. */
export function threadIdOf(file: string): string {
  const [line = ''] = readFileSync(file, 'utf8').split('\n', 1);
  const hash = createHash('sha256').update(file).digest('hex');
  const made = [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `7${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join('-');
  try {
    const first: { id?: string; payload?: { id?: string } } = JSON.parse(line);
    return first.payload?.id ?? first.id ?? made;
  } catch {
    return made;
  }
}

/** Waits until the watcher has read so many files to their ends. */
export async function settled(daemon: DaemonProcess, files: number): Promise<WatchStatusFrame> {
  const bridge = await daemon.connect();
  const done = (status: WatchStatusFrame) =>
    status.state === 'watching.settled' && status.files.known === files;
  const reached = Promise.withResolvers<WatchStatusFrame>();
  bridge.onFrame((frame) => {
    const status = watchStatusFrame.safeParse(frame);
    if (status.success && done(status.data)) reached.resolve(status.data);
  });
  const now = watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
  const status = done(now) ? now : await reached.promise;
  bridge.close();
  return status;
}

async function allRows(client: ConvexHttpClient, threadId: string): Promise<MessageRow[]> {
  const rows: MessageRow[] = [];
  for (;;) {
    const before = rows[0]?._id;
    const page = await client.query(messagesForThread, {
      threadId,
      limit: 200,
      ...(before !== undefined && { before }),
    });
    if (page.length === 0) return rows;
    rows.unshift(...page);
  }
}
