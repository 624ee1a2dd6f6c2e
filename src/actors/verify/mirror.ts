/** What a verification asks of Convex, and of what it may change there. */
import { ConvexHttpClient } from 'convex/browser';
import type { FunctionArgs, FunctionReturnType } from 'convex/server';
import { api } from '../../../convex/_generated/api.js';
import type { ThreadItem, ThreadPatch } from '../../codex/thread-item.ts';
import type { FileCursor } from '../../machines/protocol.ts';
import type { Row } from './compare-row.ts';

export type ThreadRow = NonNullable<FunctionReturnType<typeof api.threads.byId>>;
export type Repair = FunctionArgs<typeof api.messages.repair>;
export type RepairResult = FunctionReturnType<typeof api.messages.repair>;
/** `updatedAt` in milliseconds since the epoch. */
export type StoredCursor = FileCursor & { updatedAt: number };

/** Rows of a page; it ends early when it has 4 MiB. */
const PAGE_ROWS = 500;
const PAGE_CURSORS = 1_000;

/** By the unmodified client over HTTP: a verification reads much, and shall not stand in the way of what is live. */
export class Mirror {
  readonly #client: ConvexHttpClient;
  readonly #machineId: string;

  constructor(url: string, token: string, machineId: string) {
    this.#client = new ConvexHttpClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
    this.#client.setAuth(token);
    this.#machineId = machineId;
  }

  /** A token lives for an hour. */
  setToken(token: string): void {
    this.#client.setAuth(token);
  }

  async *cursors(): AsyncGenerator<StoredCursor> {
    let cursor: string | null = null;
    for (;;) {
      const paginationOpts = { cursor, numItems: PAGE_CURSORS };
      const page: FunctionReturnType<typeof api.cursors.forMachine> = await this.#client.query(
        api.cursors.forMachine,
        { machineId: this.#machineId, paginationOpts },
      );
      yield* page.page;
      if (page.isDone) return;
      cursor = page.continueCursor;
    }
  }

  async cursor(path: string): Promise<StoredCursor | null> {
    return await this.#client.query(api.cursors.byPath, { machineId: this.#machineId, path });
  }

  /** By `threadId` or the id of the document. */
  async thread(id: string): Promise<ThreadRow | null> {
    return await this.#client.query(api.threads.byId, { id });
  }

  async *rows(threadId: string): AsyncGenerator<Row> {
    let after: string | undefined;
    for (;;) {
      const page: Row[] = await this.#client.query(api.messages.inKeyOrder, {
        threadId,
        limit: PAGE_ROWS,
        ...(after === undefined ? {} : { after }),
      });
      yield* page;
      after = page.at(-1)?.key;
      if (after === undefined) return;
    }
  }

  /** The documents of threads with a run that is not over. */
  async threadsWithRuns(): Promise<ReadonlySet<string>> {
    const runs = await this.#client.query(api.runs.active, {});
    return new Set(runs.map(({ threadDocId }) => threadDocId));
  }

  /** As the tail writes them, but for the cursor. */
  async insert(thread: ThreadPatch, items: ThreadItem[]): Promise<number> {
    const machineId = this.#machineId;
    const args = { machineId, thread, items };
    return (await this.#client.mutation(api.messages.ingest, args)).inserted;
  }

  async repair(repair: Repair): Promise<RepairResult> {
    return await this.#client.mutation(api.messages.repair, repair);
  }
}
