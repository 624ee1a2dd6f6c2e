import { SourceMap } from 'node:module';
import type { SourceMapPayload } from 'node:module';
import { FunctionFailure } from './function-failure.ts';

/** The name under which the bundle is evaluated, as it stands in stack traces. */
export const bundleName = 'convex-functions.js';

/** Turns what functions throw into Convex's error texts, with the places in their sources. */
export class Traceback {
  readonly #map: SourceMap | null;

  constructor(code: string) {
    this.#map = readSourceMap(code);
  }

  failure(thrown: unknown): FunctionFailure {
    if (thrown instanceof FunctionFailure) return thrown;
    const message = `Uncaught${describeThrown(thrown)}`.slice(0, maximumMessageLength);
    const lines = [message, ...this.frames(readText(thrown, 'stack'))];
    return new FunctionFailure(lines.join('\n'), convexErrorData(thrown), { cause: thrown });
  }

  /** The frames of a stack that are in the bundle, without those of `convex/server` around. */
  frames(stack: string): string[] {
    const frames = stack
      .split('\n')
      .filter((line) => line.startsWith('    at ') && line.includes(bundleName))
      .map((line) => line.replace(position, (_, line, column) => this.#origin(+line, +column)));
    while (isInternal(frames[0])) frames.shift();
    while (isInternal(frames.at(-1))) frames.pop();
    return frames;
  }

  #origin(line: number, column: number): string {
    // Zero-based here, one-based in stack traces.
    const entry = this.#map?.findEntry(line - 1, column - 1);
    if (entry === undefined || !('originalSource' in entry))
      return `${bundleName}:${line}:${column}`;
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  }
}

/** Convex's limit of an error message; it counts bytes, we UTF-16 units. */
const maximumMessageLength = 1 << 16;
const position = /convex-functions\.js:(\d+):(\d+)/g;

function readSourceMap(code: string): SourceMap | null {
  const marker = '//# sourceMappingURL=data:application/json;base64,';
  const at = code.lastIndexOf(marker);
  if (at < 0) return null;
  const text = Buffer.from(code.slice(at + marker.length).trim(), 'base64').toString();
  // Written by the bundler a moment ago, or by a release.
  const payload = JSON.parse(text) as SourceMapPayload;
  return new SourceMap(payload);
}

function isInternal(frame: string | undefined): boolean {
  return frame?.includes('convex/src/server/impl') ?? false;
}

function describeThrown(thrown: unknown): string {
  const name = readText(thrown, 'name');
  const message = readText(thrown, 'message');
  if (name !== '' && message !== '') return ` ${name}: ${message}`;
  if (name !== '' || message !== '') return ` ${name}${message}`;
  try {
    return ` ${String(thrown)}`;
  } catch {
    return '';
  }
}

/** Anything may be thrown, also what throws when it is looked at. */
function readText(thrown: unknown, property: 'name' | 'message' | 'stack'): string {
  if (typeof thrown !== 'object' || thrown === null) return '';
  try {
    const text: unknown = Reflect.get(thrown, property);
    return typeof text === 'string' ? text : '';
  } catch {
    return '';
  }
}

/** `convex/server` has already made JSON text of a thrown ConvexError's data. */
function convexErrorData(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  if (!(Symbol.for('ConvexError') in thrown) || !('data' in thrown)) return undefined;
  return typeof thrown.data === 'string' ? thrown.data : undefined;
}
