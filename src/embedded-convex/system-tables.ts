import { storeIndex, storeTable } from './catalog-table.ts';
import { firstTableNumber } from './catalog.ts';
import type { IndexInfo, TableInfo } from './catalog.ts';
import { RowQuery } from './database.ts';
import type { Database } from './database.ts';

/** Where `ctx.scheduler` keeps its jobs; functions read it through `db.system`. */
export const scheduledFunctionsTable = '_scheduled_functions';
/** Ours alone: those that are due are the first of the pending ones. */
export const byStateIndex = 'by_state';
/** Ours alone: unfinished ones have no completion time, which sorts first. */
export const byCompletedTimeIndex = 'by_completed_time';

/** Creates what a database of an earlier release, or a new one, does not have yet. */
export function createSystemTables(database: Database): void {
  const known = new RowQuery(database, 'SELECT 1 FROM tables WHERE number = ?');
  if (known.first(scheduledFunctionsNumber) !== null) return;
  database.transaction(() => {
    const table = { number: scheduledFunctionsNumber, name: scheduledFunctionsTable };
    storeTable(database, table);
    storeIndex(database, table, byStateIndex, ['state.kind', 'scheduledTime']);
    storeIndex(database, table, byCompletedTimeIndex, ['completedTime']);
  });
}

export function isSystemTable(table: Pick<TableInfo, 'number'>): boolean {
  return table.number < firstTableNumber;
}

/** What a function may name in `withIndex`: of a system table, the implied ones only. */
export function publicIndexes(table: TableInfo): readonly IndexInfo[] {
  return isSystemTable(table) ? table.indexes.slice(0, impliedIndexes) : table.indexes;
}

/** `by_id` and `by_creation_time`. */
const impliedIndexes = 2;

/** Upstream's own default for this table. Part of the ids of jobs: never changed. */
const scheduledFunctionsNumber = 44;

/** How commits name a job's place among the pending and the finished ones. */
export const jobsIndex = `${scheduledFunctionsTable}.${byStateIndex}`;
