import { FunctionError } from '../function-error.ts';
import { defaultLimits } from '../limits.ts';
import type { Usage, UsageName } from '../limits.ts';
import type { SyscallArguments } from './syscall-arguments.ts';

/** What a called function may use, as its caller wants it: each a count or bytes. */
export type NestedLimits = Partial<Record<UsageName, number>>;

/** JSON text of `ctx.meta.getTransactionMetrics()`: of each limit, what is used and what is left. */
export function transactionMetrics(usage: Usage): string {
  const metric = ([name, counted]: [string, UsageName]) => {
    const used = usage[counted];
    // Where there is no limit, Convex's own is shown.
    return [
      name,
      { used, remaining: Math.min(usage.limits[counted], defaultLimits[counted]) - used },
    ];
  };
  return JSON.stringify(Object.fromEntries([...counters].map(metric)));
}

/** The `transactionLimits` of `ctx.runQuery` and `ctx.runMutation`; limits of files limit nothing. */
export function nestedLimits(args: SyscallArguments): NestedLimits {
  const given = args.optionalJson('transactionLimits');
  if (given === null) return {};
  if (typeof given !== 'object' || Array.isArray(given)) throw invalid('it is not an object');
  const limits: NestedLimits = {};
  for (const [name, limit] of Object.entries(given)) {
    if (typeof limit !== 'number' || !(limit >= 0)) throw invalid(`\`${name}\` is not a number`);
    const counted = counters.get(name);
    if (counted !== undefined) limits[counted] = limit;
  }
  return limits;
}

/** Convex's names, with ours. */
const counters = new Map<string, UsageName>([
  ['bytesRead', 'bytesRead'],
  ['bytesWritten', 'bytesWritten'],
  ['databaseQueries', 'databaseQueries'],
  ['documentsRead', 'documentsRead'],
  ['documentsWritten', 'documentsWritten'],
  ['functionsScheduled', 'functionsScheduled'],
  ['scheduledFunctionArgsBytes', 'scheduledBytes'],
]);

function invalid(problem: string): FunctionError {
  return new FunctionError(
    'InvalidArgument',
    `Invalid argument \`transactionLimits\` for \`runUdf\`: ${problem}`,
  );
}
