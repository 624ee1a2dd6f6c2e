/** What Convex holds, as an official client reads it. */
import { ConvexHttpClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';
import type { DaemonProcess } from '../daemon-process.ts';
import type { MessageRow } from '../subscriber.ts';

export interface MirroredThread {
  messageCount: number;
  archived: boolean;
  rolloutPath?: string;
  rolloutDeletedAt?: number;
}

export interface MirroredCursor {
  path: string;
  offset: number;
  quarantine: { offset: number; length: number; reason: string }[];
}

/** More than half of a page ends early where rows are long. */
const PAGE = 500;

const threadById = makeFunctionReference<'query', { id: string }, MirroredThread | null>(
  'threads:byId',
);
const messagesForThread = makeFunctionReference<
  'query',
  { threadId: string; limit: number; preface: true; before?: string },
  MessageRow[]
>('messages:forThread');
const cursorsForMachine = makeFunctionReference<
  'query',
  { machineId: string; paginationOpts: { numItems: number; cursor: string | null } },
  { page: MirroredCursor[]; isDone: boolean; continueCursor: string }
>('cursors:forMachine');

export class Mirror {
  readonly #client: ConvexHttpClient;
  readonly #machineId: string;

  private constructor(client: ConvexHttpClient, machineId: string) {
    this.#client = client;
    this.#machineId = machineId;
  }

  static async open(daemon: DaemonProcess, machineId: string): Promise<Mirror> {
    const client = new ConvexHttpClient(daemon.convexUrl, { skipConvexDeploymentUrlCheck: true });
    client.setAuth(await daemon.convexToken());
    return new Mirror(client, machineId);
  }

  async thread(id: string): Promise<MirroredThread | null> {
    return await this.#client.query(threadById, { id });
  }

  /** All rows of a thread, the oldest first. */
  async rows(threadId: string): Promise<MessageRow[]> {
    const rows: MessageRow[] = [];
    for (;;) {
      const before = rows[0]?._id;
      const page = await this.#client.query(messagesForThread, {
        threadId,
        limit: PAGE,
        preface: true,
        ...(before !== undefined && { before }),
      });
      if (page.length === 0) return rows;
      rows.unshift(...page);
    }
  }

  async cursors(): Promise<Map<string, MirroredCursor>> {
    const cursors = new Map<string, MirroredCursor>();
    for (let cursor: string | null = null, isDone = false; !isDone;) {
      const result: Awaited<ReturnType<typeof this.page>> = await this.page(cursor);
      for (const entry of result.page) cursors.set(entry.path, entry);
      ({ isDone, continueCursor: cursor } = result);
    }
    return cursors;
  }

  private async page(cursor: string | null) {
    return await this.#client.query(cursorsForMachine, {
      machineId: this.#machineId,
      paginationOpts: { numItems: 200, cursor },
    });
  }
}
