import { randomBytes } from 'node:crypto';
import type { FunctionOutcome } from './executor.ts';
import { FunctionFailure } from './runtime/function-failure.ts';

/** A failure as the one who asked for the function is told it. */
export function failedOutcome(failure: FunctionFailure): FunctionOutcome {
  const requestId = randomBytes(8).toString('hex');
  const errorMessage = `[Request ID: ${requestId}] Server Error\n${failure.message}`;
  return failure.data === undefined
    ? { ok: false, errorMessage }
    : { ok: false, errorMessage, errorData: failure.data };
}

/** The other way round, for a call inside a call, which has no request of its own. */
export function outcomeFailure(outcome: Extract<FunctionOutcome, { ok: false }>): FunctionFailure {
  const { errorMessage, errorData } = outcome;
  return new FunctionFailure(errorMessage.slice(errorMessage.indexOf('\n') + 1), errorData);
}

export function timedOut(limitMs: number): FunctionFailure {
  const limit = limitMs % 1000 === 0 ? `${limitMs / 1000}s` : `${limitMs}ms`;
  return new FunctionFailure(`Function execution timed out (maximum duration: ${limit})`);
}

export function outOfMemory(limitMb: number): FunctionFailure {
  return new FunctionFailure(
    `JavaScript execution ran out of memory (maximum memory usage: ${limitMb} MB)`,
  );
}

/** For an action whose thread ended under it. */
export function interrupted(): FunctionFailure {
  return new FunctionFailure(
    'The action was cut short because another function had to be stopped; it may have run in part',
  );
}
