import type { JSONValue, Value } from 'convex/values';
import { convexToJson } from 'convex/values';
import type { Doc, DocValue } from './doc.ts';
import type { QueryJson } from './query.ts';
import type { Transaction } from './transaction.ts';
import { byCompletedTimeIndex, byStateIndex, scheduledFunctionsTable } from './system-tables.ts';

export type JobState =
  | { kind: 'pending' | 'inProgress' | 'success' | 'canceled' }
  | { kind: 'failed'; error: string };

/** A row of `_scheduled_functions`. */
export interface ScheduledJob {
  id: string;
  /** `folder/module.js:export`, as upstream shows it. */
  name: string;
  /** JSON text, as functions get their arguments. */
  args: string;
  state: JobState;
}

/** Returns the id. `scheduledTime` in milliseconds since 1970; `args` is one object. */
export function insertJob(
  transaction: Transaction,
  job: { name: string; args: Value; scheduledTime: number; isCanceled: boolean },
): string {
  const now = Math.floor(transaction.now);
  return transaction.insertSystem(scheduledFunctionsTable, {
    name: job.name,
    args: [job.args],
    ...(job.isCanceled
      ? { scheduledTime: now, completedTime: now, state: { kind: 'canceled' } }
      : { scheduledTime: job.scheduledTime, state: { kind: 'pending' } }),
  });
}

/** null: there is none, or it has been finished and forgotten. */
export function findJob(transaction: Transaction, id: string): ScheduledJob | null {
  const doc = transaction.getSystem(id);
  return doc === null ? null : toJob(doc);
}

export function isFinished({ kind }: JobState): boolean {
  return kind !== 'pending' && kind !== 'inProgress';
}

/** Whoever runs in this transaction sees it; others once it commits. */
export function markInProgress(transaction: Transaction, id: string): void {
  change(transaction, id, { state: { kind: 'inProgress' } });
}

/** Leaves a job that is finished, or canceled, as it is. */
export function finishJob(transaction: Transaction, id: string, state: JobState): void {
  const completedTime = Math.floor(transaction.now);
  change(transaction, id, { state: { ...state }, completedTime });
}

export interface JobsToRun {
  /** Due ones, earliest first, and those that are in progress. */
  ids: string[];
  /** When the next thing is to be done. Milliseconds since 1970; null: nothing is waiting. */
  nextTime: number | null;
}

/** `transaction` is a system one. At most `limit` that are due. */
export function jobsToRun(transaction: Transaction, limit: number): JobsToRun {
  const now = transaction.now;
  const running = readRows(transaction, jobsInState('inProgress'), limit);
  const pending = readRows(transaction, jobsInState('pending'), limit + 1);
  const isDue = (doc: Doc): boolean => timeOf(doc, 'scheduledTime') <= now;
  const due = pending.filter(isDue).slice(0, limit);
  // Due ones above the limit are asked for again when others have ended.
  const next = pending.find((doc) => !isDue(doc));
  const [oldest] = readRows(transaction, finishedJobs, 1);
  const times = [
    ...(next === undefined ? [] : [timeOf(next, 'scheduledTime')]),
    ...(oldest === undefined ? [] : [timeOf(oldest, 'completedTime') + keptMs]),
  ];
  return {
    ids: [...running, ...due].map((doc) => doc.id),
    nextTime: times.length === 0 ? null : Math.min(...times),
  };
}

/** Those that have not begun, due or not. `transaction` is a system one. */
export function pendingJobs(transaction: Transaction): { id: string; scheduledTime: number }[] {
  const rows = readRows(transaction, jobsInState('pending'), Infinity);
  return rows.map((doc) => ({ id: doc.id, scheduledTime: timeOf(doc, 'scheduledTime') }));
}

/** Removes some of the jobs that were finished long ago; true: there may be more. */
export function pruneJobs(transaction: Transaction): boolean {
  const oldest = readRows(transaction, finishedJobs, pruneBatch);
  const isOld = (doc: Doc): boolean => timeOf(doc, 'completedTime') + keptMs <= transaction.now;
  const old = oldest.filter(isOld);
  for (const doc of old) transaction.writeSystem(doc.id, null);
  return old.length === pruneBatch;
}

/** As upstream: a week. Milliseconds. */
const keptMs = 7 * 24 * 60 * 60 * 1000;
/** Rows, each with arguments of up to 16 MiB. */
const pruneBatch = 64;

function change(transaction: Transaction, id: string, fields: DocValue): void {
  const doc = transaction.getSystem(id);
  if (doc === null || isFinished(stateOf(doc))) return;
  transaction.writeSystem(id, { ...doc.value, ...fields });
}

function toJob(doc: Doc): ScheduledJob {
  // `insertJob` wrote both.
  const { name, args } = doc.value as { name: string; args: Value };
  return { id: doc.id, name, args: JSON.stringify(convexToJson(args)), state: stateOf(doc) };
}

function stateOf(doc: Doc): JobState {
  // `insertJob` and `finishJob` wrote it.
  return doc.field(['state']) as JobState;
}

function timeOf(doc: Doc, field: 'scheduledTime' | 'completedTime'): number {
  return Number(doc.field([field]));
}

function jobsInState(kind: JobState['kind']): QueryJson {
  return indexQuery(byStateIndex, [{ type: 'Eq', fieldPath: 'state.kind', value: kind }]);
}

const finishedJobs = indexQuery(byCompletedTimeIndex, [
  { type: 'Gt', fieldPath: 'completedTime', value: null },
]);

function indexQuery(
  index: string,
  range: { type: 'Eq' | 'Gt'; fieldPath: string; value: JSONValue }[],
): QueryJson {
  const indexName = `${scheduledFunctionsTable}.${index}`;
  return { source: { type: 'IndexRange', indexName, range, order: 'asc' }, operators: [] };
}

function readRows(transaction: Transaction, query: QueryJson, limit: number): Doc[] {
  const operators = limit === Infinity ? [] : [{ limit }];
  const open = transaction.openQuery({ ...query, operators });
  try {
    const rows: Doc[] = [];
    for (let doc = open.next(); doc !== null; doc = open.next()) rows.push(doc);
    return rows;
  } finally {
    open.close();
  }
}
