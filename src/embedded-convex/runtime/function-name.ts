import { FunctionError } from '../function-error.ts';
import { canonicalFunctionPath } from '../function-path.ts';
import type { FunctionLookup } from './function-registry.ts';
import type { SyscallArguments } from './syscall-arguments.ts';

/** Of a function reference or handle. References into components are not known here. */
export function functionName(args: SyscallArguments): string {
  const name = args.optionalString('name');
  if (name !== undefined) return name;
  const handle = args.optionalString('functionHandle');
  if (handle?.startsWith(handleScheme) === true) return handle.slice(handleScheme.length);
  throw new FunctionError(
    'InvalidFunctionReference',
    'The embedded backend calls functions by name or handle only: components need a real deployment',
  );
}

/** `1.0/createFunctionHandle`, as JSON: a text that stands for the function wherever it is kept. */
export function functionHandle(functions: FunctionLookup, args: SyscallArguments): string {
  const path = canonicalFunctionPath(functionName(args));
  if (functions.find(path) === null) {
    throw new FunctionError('InvalidFunctionReference', `Could not find function for '${path}'.`);
  }
  return JSON.stringify(`${handleScheme}${path}`);
}

/** What `convex/server` tells a handle by. */
const handleScheme = 'function://';
