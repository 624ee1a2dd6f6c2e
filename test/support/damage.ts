/** Rows of a mirror, damaged by hand. */
import { join } from 'node:path';
import { ConvexHttpClient } from 'convex/browser';
import { api } from '../../convex/_generated/api.js';
import type { Doc } from '../../convex/_generated/dataModel.js';
import { openTokenSigner } from '../../src/token-signer.ts';
import type { DaemonProcess } from './daemon-process.ts';

/** A client that may do what the bridge may. */
export async function bridgeClient(
  daemon: DaemonProcess,
  folder: string,
): Promise<ConvexHttpClient> {
  const client = new ConvexHttpClient(daemon.convexUrl, { skipConvexDeploymentUrlCheck: true });
  client.setAuth((await openTokenSigner(join(folder, 'openagents')).sign('bridge')).token);
  return client;
}

/**
 * Deletes the first message of these threads and changes the last, and returns what a
 * verification must find.
 */
export async function damage(
  client: ConvexHttpClient,
  sessions: readonly { threadId: string }[],
): Promise<string[]> {
  const all: Doc<'messages'>[][] = [];
  for (const { threadId } of sessions) all.push(await messagesOf(client, threadId));
  const spoken = all.flat().filter(({ kind }) => kind === 'message');
  const [deleted, changed] = [spoken[0], spoken.at(-1)];
  if (!deleted || !changed || deleted === changed) throw new Error('There are no two messages.');
  await deleteRow(client, deleted);
  await changeRow(client, changed, { text: `${changed.text} (changed by hand)` });
  return [`missing ${deleted.key}`, `differs ${changed.key}`];
}

export async function messagesOf(
  client: ConvexHttpClient,
  threadId: string,
): Promise<Doc<'messages'>[]> {
  return await client.query(api.messages.forThread, { threadId, limit: 500 });
}

export async function deleteRow(client: ConvexHttpClient, row: Doc<'messages'>): Promise<void> {
  const remove = [{ id: row._id, seen: row.updatedAt ?? row.createdAt }];
  await client.mutation(api.messages.repair, { threadId: row.threadId, replace: [], remove });
}

export async function changeRow(
  client: ConvexHttpClient,
  { _id, _creationTime, threadId, createdAt, updatedAt, seq: _seq, ...item }: Doc<'messages'>,
  changes: Partial<typeof item>,
): Promise<void> {
  const replace = [{ id: _id, seen: updatedAt ?? createdAt, item: { ...item, ...changes } }];
  await client.mutation(api.messages.repair, { threadId, replace, remove: [] });
}
