import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import type { Context } from 'node:vm';

/** A value as the console prints it: strings quoted, objects over several lines. */
export type RenderValue = (value: unknown) => string;

/**
 * object-inspect, which upstream's console uses too, evaluated in the realm whose values it is
 * to render: by ours, every plain object of the realm would look like an instance of a class.
 */
export function realmRenderer(global: Context): RenderValue {
  const file = fileURLToPath(import.meta.resolve('object-inspect'));
  const module: { exports: unknown } = { exports: {} };
  const load = compileFunction(readFileSync(file, 'utf8'), ['module', 'require'], {
    parsingContext: global,
    filename: 'object-inspect.js',
  });
  // All that it requires is Node's `util.inspect`, which a realm does not have.
  load(module, () => ({}));
  const inspect = module.exports;
  if (typeof inspect !== 'function') throw new TypeError('object-inspect exports no function');
  return (value) => {
    try {
      return String(inspect(value, { maxStringLength, indent: 2, customInspect: true }));
    } catch {
      // A getter or a custom renderer of the function's own threw.
      return '[value that cannot be shown]';
    }
  };
}

/** Characters: no more than a whole log line may have, in bytes. */
const maxStringLength = 32_768;
