/** What an earlier life of the daemon left half seen: rows of runs that no session file has confirmed. */
import type { FunctionArgs, FunctionReturnType } from 'convex/server';
import type { api } from '../../../convex/_generated/api.js';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { ExpectedRun } from '../../machines/expected-runs.ts';

type Provisional = typeof api.messages.provisional;
type ProvisionalPage = FunctionReturnType<Provisional>;

export type ProvisionalPort = (args: FunctionArgs<Provisional>) => Promise<ProvisionalPage>;

export interface RecalledRun {
  run: ExpectedRun;
  rows: ThreadItem[];
}

/** Rows of a page: each may have half a megabyte, a query may read 16. */
const PAGE_ROWS = 20;
/** A daemon whose watchers are off for months confirms nothing; its oldest rows stay as they are. */
const MAX_ROWS = 5_000;

export async function recall(ask: ProvisionalPort, machineId: string): Promise<RecalledRun[]> {
  const runs = new Map<string, RecalledRun>();
  let cursor: string | null = null;
  for (let read = 0; read < MAX_ROWS; read += PAGE_ROWS) {
    const result: ProvisionalPage = await ask({
      machineId,
      paginationOpts: { numItems: PAGE_ROWS, cursor },
    });
    for (const { item, run } of result.page) {
      const known = runs.get(run.runId) ?? {
        run: { ...run, ended: true, settled: false },
        rows: [],
      };
      known.rows.push(item);
      runs.set(run.runId, known);
    }
    if (result.isDone) break;
    cursor = result.continueCursor;
  }
  return [...runs.values()];
}
