/** What a function and the functions it calls print; each line `[LEVEL] text`. */
export class LogLines {
  readonly #lines: string[] = [];
  readonly #timers = new Map<string, number>();

  get lines(): string[] {
    return this.#lines;
  }

  add(level: LogLevel, parts: string[]): void {
    // The last place is for the line that says so.
    if (this.#lines.length >= maximumLines) return;
    const text =
      this.#lines.length === maximumLines - 1
        ? `[ERROR] Log overflow (maximum ${maximumLines}). Remaining log lines omitted.`
        : `[${level}] ${truncate(parts.join(' '))}`;
    this.#lines.push(text);
  }

  /** Lines of another execution, made by these rules. */
  addLines(lines: readonly string[]): void {
    for (const line of lines) {
      const [, level = 'LOG', text = line] = /^\[(\w+)\] (.*)$/s.exec(line) ?? [];
      this.add(isLogLevel(level) ? level : 'LOG', [text]);
    }
  }

  startTimer(label: string, nowMs: number): void {
    if (this.#timers.has(label)) this.add('WARN', [`Timer '${label}' already exists`]);
    else this.#timers.set(label, nowMs);
  }

  reportTimer(label: string, nowMs: number, rest: string[], isEnd: boolean): void {
    const started = this.#timers.get(label);
    if (started === undefined) {
      this.add('WARN', [`Timer '${label}' does not exist`]);
      return;
    }
    if (isEnd) this.#timers.delete(label);
    this.add('INFO', [`${label}: ${Math.round(nowMs - started)}ms`, ...rest]);
  }
}

export type LogLevel = 'DEBUG' | 'ERROR' | 'WARN' | 'INFO' | 'LOG';

/** Convex's limits. Lines; bytes of UTF-8. */
const maximumLines = 256;
const maximumLineBytes = 32_768;

function truncate(text: string): string {
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (text.length * 3 <= maximumLineBytes) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= maximumLineBytes) return text;
  let end = maximumLineBytes;
  // Never in the middle of a character: continuation bytes are 10xxxxxx.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.subarray(0, end).toString()} (truncated due to length)`;
}

function isLogLevel(text: string): text is LogLevel {
  return ['DEBUG', 'ERROR', 'WARN', 'INFO', 'LOG'].includes(text);
}
