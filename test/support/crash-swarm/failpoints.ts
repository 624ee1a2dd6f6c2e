/**
 * Loaded into the engine's thread before anything else: ends the process, as kill -9 does, right
 * before or after a statement that writes, and lets the clock go wrong. The query of its own URL
 * says where: `?text=COMMIT&number=7&when=after&clock=-3600000&step=-60000`.
 *
 * text    counts only statements that begin with it; empty: all
 * number  the how manieth of them; 0: none
 * when    `before` or `after`
 * clock   milliseconds by which the clock is wrong from the start
 * step    by which it jumps in addition once half of the statements have run
 */
import { StatementSync, type SQLInputValue } from 'node:sqlite';

const plan = new URL(import.meta.url).searchParams;
const number = Number(plan.get('number') ?? 0);
const text = plan.get('text') ?? '';
const isBefore = plan.get('when') === 'before';
let offset = Number(plan.get('clock') ?? 0);
let count = 0;

const now = Date.now.bind(Date);
Date.now = () => now() + offset;

// oxlint-disable-next-line typescript/unbound-method -- applied to its statement below
const { run } = StatementSync.prototype;
const runOf = (statement: StatementSync, parameters: SQLInputValue[]): unknown =>
  Reflect.apply(run, statement, parameters);

function countingRun(this: StatementSync, ...parameters: SQLInputValue[]) {
  if (!this.sourceSQL.startsWith(text)) return runOf(this, parameters);
  count += 1;
  if (count === Math.ceil(number / 2)) offset += Number(plan.get('step') ?? 0);
  if (count === number && isBefore) process.kill(process.pid, 'SIGKILL');
  const result = runOf(this, parameters);
  if (count === number) process.kill(process.pid, 'SIGKILL');
  return result;
}

Object.assign(StatementSync.prototype, { run: countingRun });
