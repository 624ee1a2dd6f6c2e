/** Why Codex ended, in its own words: what a person is shown of a failed run. */
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';

/** Lines of stderr that are remembered, and characters of each. */
const MAX_LINES = 40;
const MAX_CHARACTERS = 2_000;

export class Complaints {
  #lines: string[] = [];

  add(line: string): void {
    // Codex colours its log, also where nobody can see it.
    this.#lines.push(stripVTControlCharacters(line.slice(0, MAX_CHARACTERS)));
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
  }

  /** The line that says it, or undefined when there is none. */
  text(): string | undefined {
    const backtrace = this.#lines.findIndex((line) => /^Stack backtrace/i.test(line));
    const said = (backtrace === -1 ? this.#lines : this.#lines.slice(0, backtrace)).filter(
      (line) => line.trim() !== '' && !line.startsWith('WARNING:'),
    );
    return said.findLast((line) => /^error\b/i.test(line)) ?? said.at(-1);
  }
}

const providerError = z.object({ error: z.object({ message: z.string().min(1) }) });

/** Codex hands on a provider's answer as it came: JSON with the message somewhere inside. */
export function readableError(message: string): string {
  try {
    return providerError.parse(JSON.parse(message)).error.message;
  } catch {
    return message;
  }
}

/**
 * Whether Codex refuses to go on with a session because another process has it open: one
 * process at a time writes a session file (0.148 and later).
 */
export function isWriterConflict(complaint: string): boolean {
  return complaint.includes('already has an active writer');
}
