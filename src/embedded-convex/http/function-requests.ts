import type { Caller } from '../authentication.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { FunctionRequest } from '../executor.ts';
import { canonicalFunctionPath } from '../function-path.ts';
import { HttpError } from './http-error.ts';
import { parseValueFormat } from './value-format.ts';
import type { ValueFormat } from './value-format.ts';

export interface FunctionCall {
  path: string;
  /** Canonical JSON text of a one-element array. */
  args: string;
  format: ValueFormat;
}

/** `{path, args, format?}`; other fields are ignored. Throws an `HttpError`. */
export function parseFunctionCall(body: Record<string, unknown>): FunctionCall {
  const { path } = body;
  if (typeof path !== 'string' || path === '') {
    throw new HttpError(400, 'BadJsonBody', '"path" must name a function, e.g. "messages:list".');
  }
  refuseComponent(body);
  return {
    path: canonicalFunctionPath(path),
    args: parseArguments(body['args']),
    format: parseValueFormat(body['format']),
  };
}

/** `a/b/c` as in `/api/run/a/b/c` is the function `a/b:c`. */
export function parseRunCall(path: string, body: Record<string, unknown>): FunctionCall {
  const parts = path.split('/').map(decodePart);
  const name = parts.pop() ?? '';
  if (parts.length === 0 || name === '') {
    throw new HttpError(
      400,
      'MissingIdentifier',
      'The path must name a module and a function, e.g. /api/run/messages/list',
    );
  }
  return parseFunctionCall({ ...body, path: `${parts.join('/')}:${name}` });
}

export function requestOf({ path, args }: FunctionCall, caller: Caller): FunctionRequest {
  return { path, args, identity: caller.identity, allowInternal: caller.isAdmin };
}

/** An object, or an array with this object alone, as the JavaScript client has it. */
function parseArguments(args: unknown): string {
  const [object, ...rest] = Array.isArray(args) ? [...(args.length === 0 ? [{}] : args)] : [args];
  const isObject = typeof object === 'object' && object !== null && !Array.isArray(object);
  if (!isObject || rest.length > 0) {
    throw new HttpError(
      400,
      'BadArgsJson',
      '"args" must be an object, or an array with one object.',
    );
  }
  return canonicalJson([object]);
}

function refuseComponent({ componentPath }: Record<string, unknown>): void {
  if (componentPath === undefined || componentPath === null || componentPath === '') return;
  throw new HttpError(
    400,
    'ComponentsUnsupported',
    'The embedded backend has no components; call functions of the application itself.',
  );
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpError(400, 'MissingIdentifier', `"${part}" is not a valid part of a path.`);
  }
}
