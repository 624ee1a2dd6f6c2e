import { compareValues } from 'convex/values';
import type { JSONValue, Value } from 'convex/values';
import type { Doc } from './doc.ts';
import { FunctionError } from './function-error.ts';
import { rangeValue } from './index-range.ts';
import { displayValue, typeName } from './values/display.ts';

export type Filter = (doc: Doc) => boolean;

/** Compiles what `q => q.…` of `.filter()` serialises to. Throws a `FunctionError`. */
export function compileFilter(json: JSONValue): Filter {
  const expression = compile(json);
  return (doc) => toBoolean(expression(doc));
}

type Result = Value | undefined;
type Expression = (doc: Doc) => Result;

function compile(json: JSONValue): Expression {
  const [name, argument] = onlyEntry(json);
  const comparison = comparisons[name];
  if (comparison !== undefined) {
    const [left, right] = pair(name, argument);
    return (doc) => comparison(compareValues(left(doc), right(doc)));
  }
  const arithmetic = arithmetics[name];
  if (arithmetic !== undefined) {
    const [left, right] = pair(name, argument);
    return (doc) => calculate(arithmetic, left(doc), right(doc));
  }
  return compileOther(name, argument);
}

function compileOther(name: string, argument: JSONValue): Expression {
  switch (name) {
    case '$literal': {
      const value = rangeValue(argument);
      return () => value;
    }
    case '$field': {
      if (typeof argument !== 'string') throw malformed(argument);
      const path = argument.split('.');
      return (doc) => doc.field(path);
    }
    case '$and': {
      const parts = list(argument);
      return (doc) => parts.every((part) => toBoolean(part(doc)));
    }
    case '$or': {
      const parts = list(argument);
      return (doc) => parts.some((part) => toBoolean(part(doc)));
    }
    case '$not': {
      const part = compile(argument);
      return (doc) => !toBoolean(part(doc));
    }
    case '$neg': {
      const part = compile(argument);
      return (doc) => negate(part(doc));
    }
    default:
      throw malformed(name);
  }
}

const comparisons: Record<string, (order: number) => boolean> = {
  $eq: (order) => order === 0,
  $neq: (order) => order !== 0,
  $lt: (order) => order < 0,
  $lte: (order) => order <= 0,
  $gt: (order) => order > 0,
  $gte: (order) => order >= 0,
};

interface Arithmetic {
  verb: string;
  numbers(left: number, right: number): number;
  integers(left: bigint, right: bigint): bigint;
}

const arithmetics: Record<string, Arithmetic> = {
  $add: { verb: 'add', numbers: (a, b) => a + b, integers: (a, b) => a + b },
  $sub: { verb: 'subtract', numbers: (a, b) => a - b, integers: (a, b) => a - b },
  $mul: { verb: 'multiply', numbers: (a, b) => a * b, integers: (a, b) => a * b },
  $div: { verb: 'divide', numbers: (a, b) => a / b, integers: (a, b) => a / b },
  $mod: { verb: 'mod', numbers: (a, b) => a % b, integers: (a, b) => a % b },
};

function calculate(operation: Arithmetic, left: Result, right: Result): Value {
  const { verb } = operation;
  if (typeof left === 'number' && typeof right === 'number') return operation.numbers(left, right);
  if (typeof left === 'bigint' && typeof right === 'bigint') {
    const divides = verb === 'divide' || verb === 'mod';
    if (divides && right === 0n) throw evaluationError(`Cannot ${verb} ${left} by zero`);
    const result = operation.integers(left, right);
    if (isInt64(result)) return result;
    throw evaluationError(
      `Cannot ${verb} ${left} and ${right}: the result is out of range for Int64`,
    );
  }
  throw evaluationError(`Cannot ${verb} ${describe(left)} and ${describe(right)}`);
}

function negate(value: Result): Value {
  if (typeof value === 'number') return -value;
  if (typeof value !== 'bigint') throw evaluationError(`Cannot negate ${describe(value)}`);
  if (isInt64(-value)) return -value;
  throw evaluationError(`Cannot negate ${value}: the result is out of range for Int64`);
}

function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

function toBoolean(value: Result): boolean {
  if (typeof value === 'boolean') return value;
  throw evaluationError(`Cannot use value ${describe(value)} as a Boolean`);
}

function describe(value: Result): string {
  return `${displayValue(value)} (type ${typeName(value)})`;
}

function list(json: JSONValue): Expression[] {
  if (!Array.isArray(json)) throw malformed(json);
  return json.map(compile);
}

function pair(name: string, json: JSONValue): [Expression, Expression] {
  const [left, right, ...more] = list(json);
  if (left === undefined || right === undefined || more.length > 0) throw malformed(name);
  return [left, right];
}

function onlyEntry(json: JSONValue): [string, JSONValue] {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed(json);
  const [entry, ...more] = Object.entries(json);
  if (entry === undefined || more.length > 0) throw malformed(json);
  return entry;
}

function malformed(json: JSONValue): FunctionError {
  return new FunctionError(
    'InvalidArgument',
    `Invalid argument \`query\` for \`filter\`: unknown expression ${JSON.stringify(json)}`,
  );
}

function evaluationError(message: string): FunctionError {
  return new FunctionError('EvalError', message);
}
