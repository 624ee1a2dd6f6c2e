import type { JSONValue, Value } from 'convex/values';
import type { FunctionKind } from '../executor.ts';
import { FunctionError } from '../function-error.ts';
import { argumentsProblem, returnsProblem } from '../validate.ts';
import type { TableNames } from '../validate.ts';
import { displayBytes } from '../values/display.ts';
import { fromJson } from '../values/from-json.ts';
import { measure } from '../values/size.ts';
import { FunctionFailure } from './function-failure.ts';
import type { FunctionLookup, RegisteredFunction } from './function-registry.ts';

/** The function of that kind and path. Throws a `FunctionFailure` with Convex's text. */
export function findFunction(
  functions: FunctionLookup,
  call: { path: string; kind: FunctionKind; allowInternal: boolean },
): RegisteredFunction {
  const found = functions.find(call.path);
  if (found === null || (found.visibility === 'internal' && !call.allowInternal)) {
    throw failure(`Could not find public function for '${call.path}'.`);
  }
  if (found.kind !== call.kind) {
    const path = found.path.replace(':', '.js:');
    throw failure(
      `Trying to execute ${path} as ${titles[call.kind]}, but it is defined as ${titles[found.kind]}.`,
    );
  }
  return found;
}

/** `args` is the JSON text that the function gets. Throws a `FunctionFailure`. */
export function checkArguments(
  called: RegisteredFunction,
  args: string,
  tableNames: TableNames,
): void {
  const value = readArguments(called, args);
  const { size } = translating(`Invalid arguments for ${called.path}`, () => measure(value));
  if (size > maximumValueBytes) {
    throw failure(
      `Arguments for ${called.path} are too large (actual: ${displayBytes(size)}, limit: ${displayBytes(maximumValueBytes)})`,
    );
  }
  const problem = argumentsProblem(called.args, value, tableNames);
  if (problem !== null) throw failure(problem);
}

/** Returns the text of the result that may leave the server. Throws a `FunctionFailure`. */
export function checkResult(
  called: RegisteredFunction,
  result: unknown,
  tableNames: TableNames,
): string {
  if (typeof result !== 'string') throw failure(`Function ${called.path} returned no JSON text`);
  // A short text of any shape is within every limit, so only a validator has to look at it.
  if (called.returns === null && result.length < maximumUncheckedLength) return result;
  const invalid = `Function ${called.path} return value invalid`;
  const value = translating(invalid, () => fromJson(parse(result)));
  const { size } = translating(invalid, () => measure(value));
  if (size > maximumValueBytes) {
    throw failure(
      `Function ${called.path} return value is too large (actual: ${displayBytes(size)}, limit: ${displayBytes(maximumValueBytes)})`,
    );
  }
  const problem =
    called.returns === null ? null : returnsProblem(called.returns, value, tableNames);
  if (problem !== null) throw failure(problem);
  return result;
}

/** Convex's limit of arguments and of results. */
const maximumValueBytes = 1 << 24;
/** Fewer characters than array elements, fields or levels that a value may have. */
const maximumUncheckedLength = 64;

const titles: Record<FunctionKind, string> = {
  query: 'Query',
  mutation: 'Mutation',
  action: 'Action',
};

function readArguments(called: RegisteredFunction, args: string): Value {
  return translating(`Invalid arguments for ${called.path}`, () => {
    const list = parse(args);
    if (!Array.isArray(list) || list.length !== 1) {
      throw new FunctionError('InvalidArguments', 'expected one object of named arguments');
    }
    const value = fromJson(list[0] ?? null);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new FunctionError('InvalidArguments', 'the arguments are not an object');
    }
    return value;
  });
}

function parse(text: string): JSONValue {
  // What JSON.parse returns is what this type describes.
  return JSON.parse(text) as JSONValue;
}

function translating<Result>(context: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FunctionFailure(`${context}: ${reason}`, undefined, { cause: error });
  }
}

function failure(message: string): FunctionFailure {
  return new FunctionFailure(message);
}
