import { jsonToConvex } from 'convex/values';
import type { Value } from 'convex/values';
import { hasPlaceholder } from '../document-rules.ts';
import { FunctionError } from '../function-error.ts';
import { canonicalFunctionPath } from '../function-path.ts';
import { findJob, finishJob, insertJob, isFinished } from '../scheduled-jobs.ts';
import { scheduledFunctionsTable } from '../system-tables.ts';
import type { Transaction } from '../transaction.ts';
import { decodeId } from '../values/ids.ts';
import { measure } from '../values/size.ts';
import { functionName } from './function-name.ts';
import type { FunctionLookup } from './function-registry.ts';
import type { SyscallArguments } from './syscall-arguments.ts';

interface SchedulerCaller {
  transaction: Transaction;
  functions: FunctionLookup;
  /** The job that the caller runs for, itself or by way of its callers. */
  jobId: string | null;
  kind: 'mutation' | 'action';
}

export type SchedulerOperation = 'schedule' | 'cancel';

/** `1.0/schedule` and `1.0/cancel_job`; takes effect when the transaction commits. */
export function performScheduling(
  operation: SchedulerOperation,
  caller: SchedulerCaller,
  args: SyscallArguments,
): string {
  return operation === 'schedule' ? schedule(caller, args) : cancelJob(caller, args);
}

/** Returns the id of the job, as JSON. */
function schedule(caller: SchedulerCaller, args: SyscallArguments): string {
  const { transaction, functions, jobId } = caller;
  const name = scheduledName(functions, functionName(args));
  const scheduledTime = scheduledMs(args.number('ts'), transaction.now);
  const value = scheduledArguments(name, args);
  transaction.countScheduled(measure([value]).size);
  const parent = jobId === null ? null : findJob(transaction, jobId);
  // What was canceled starts nothing new, though an action that runs is left to end.
  const isCanceled = parent?.state.kind === 'canceled';
  return JSON.stringify(insertJob(transaction, { name, args: value, scheduledTime, isCanceled }));
}

/** One that has ended, or is long forgotten, stays what it is. */
function cancelJob({ transaction, jobId, kind }: SchedulerCaller, args: SyscallArguments): string {
  const id = args.string('id');
  const decoded = decodeId(id);
  if ('error' in decoded) {
    throw new FunctionError(
      'InvalidArgument',
      `Invalid argument \`id\` for \`db.cancel_job\`: ${decoded.error}`,
    );
  }
  if (transaction.tableName(decoded.tableNumber) !== scheduledFunctionsTable) {
    throw new FunctionError(
      'InvalidArgument',
      `Invalid scheduled function ID. The ID must be an ID on the '${scheduledFunctionsTable}' table.`,
    );
  }
  if (id === jobId && kind === 'mutation') {
    throw new FunctionError('ScheduledFunctionCancelingItself', 'A mutation cannot cancel itself');
  }
  const job = findJob(transaction, id);
  if (job !== null && !isFinished(job.state)) finishJob(transaction, id, { kind: 'canceled' });
  return 'null';
}

/** Its kind and its arguments are checked when it runs, as the functions of that day have them. */
function scheduledName(functions: FunctionLookup, path: string): string {
  const canonical = canonicalFunctionPath(path);
  const name = canonical.replace(/:([^:]*)$/, '.js:$1');
  if (functions.find(canonical) !== null) return name;
  const [module = '', exported = ''] = name.split(':');
  throw new FunctionError(
    'InvalidScheduledFunction',
    functions.hasModule(module.replace(/\.js$/, ''))
      ? `Attempted to schedule function, but no exported function ${exported} found in the file: ${module}. Did you forget to export it?`
      : `Attempted to schedule function at nonexistent path: ${module}`,
  );
}

/** `ts` is in seconds, `now` and the result in milliseconds. */
function scheduledMs(ts: number, now: number): number {
  if (!(ts >= 0 && Number.isFinite(ts))) {
    const problem = ts < 0 ? 'value is negative' : 'value is either too big or NaN';
    throw new FunctionError(
      'InvalidArgument',
      `Invalid arguments for \`ts\`: cannot convert float seconds to Duration: ${problem}`,
    );
  }
  if (Math.abs(ts - now / 1000) > maximumDelayS) {
    throw new FunctionError(
      'InvalidScheduledFunctionDelay',
      `UnixTimestamp(${ts}s) is more than 5 years in the ${ts > now / 1000 ? 'future' : 'past'}`,
    );
  }
  // Whole microseconds: what the division by 1000 on the way here has added is gone.
  return Math.round(ts * 1e6) / 1000;
}

/** Five years, mostly so that nobody confuses seconds and milliseconds. Seconds. */
const maximumDelayS = 5 * 366 * 24 * 60 * 60;

function scheduledArguments(name: string, args: SyscallArguments): Value {
  const json = args.json('args');
  try {
    const value = jsonToConvex(json);
    if (hasPlaceholder(value))
      throw new Error('a scheduled function cannot take an unresolved placeholder value.');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FunctionError('InvalidArguments', `Invalid arguments for ${name}: ${reason}`);
  }
  throw new FunctionError(
    'InvalidArguments',
    `Invalid arguments for ${name}: the arguments are not an object`,
  );
}
