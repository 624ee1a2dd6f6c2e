/**
 * Prompts as they were typed, of runs whose rows in Convex have them redacted: Codex
 * shall get what the user said, also when the run waited over a restart. A file of the
 * home that only its owner may read; what it holds goes when its run is over.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

const keptPrompts = z.array(
  z.object({
    threadDocId: z.string(),
    /** As the row has it. */
    redacted: z.string(),
    text: z.string(),
    /** Milliseconds since the epoch. */
    keptAt: z.number(),
    /** Unknown until Convex has answered; the row may be seen before. */
    runId: z.string().optional(),
  }),
);
type KeptPrompt = z.infer<typeof keptPrompts>[number];

interface OpenRow {
  runId: string;
  threadDocId: string;
  text: string;
}

/** Milliseconds. The row of a prompt may be late: while Convex is away, a mutation waits. */
const GRACE = 3_600_000;

export class PromptKeep {
  readonly #file: string;
  readonly #now: () => number;
  #prompts: KeptPrompt[];

  constructor(file: string, now: () => number = Date.now) {
    this.#file = file;
    this.#now = now;
    this.#prompts = read(file);
  }

  /** Before the row is written: a crash in between must find it. Returns what tells its run. */
  keep(threadDocId: string, redacted: string, text: string): (runId: string) => void {
    const prompt: KeptPrompt = { threadDocId, redacted, text, keptAt: this.#now() };
    this.#write([...this.#prompts, prompt]);
    return (runId) => {
      prompt.runId = runId;
      this.#write(this.#prompts);
    };
  }

  /** What the user typed, where it is known. */
  typed({ runId, threadDocId, text }: OpenRow): string {
    // Of a run that was given another text, the newest is meant, if that is what the row has.
    const ofRun = this.#prompts.findLast(
      (prompt) => prompt.runId === runId && prompt.redacted === text,
    );
    const alike = this.#prompts.find(
      (prompt) =>
        prompt.runId === undefined &&
        prompt.threadDocId === threadDocId &&
        prompt.redacted === text,
    );
    return (ofRun ?? alike)?.text ?? text;
  }

  /** Forgets the prompts of all other runs; those rows are not open any more. */
  retain(open: readonly OpenRow[]): void {
    const latest = this.#now() - GRACE;
    const kept = this.#prompts.filter(
      ({ runId, keptAt, threadDocId, redacted }) =>
        keptAt > latest ||
        open.some((row) =>
          runId === undefined
            ? row.threadDocId === threadDocId && row.text === redacted
            : row.runId === runId,
        ),
    );
    if (kept.length < this.#prompts.length) this.#write(kept);
  }

  #write(prompts: KeptPrompt[]): void {
    this.#prompts = prompts;
    if (prompts.length === 0) {
      rmSync(this.#file, { force: true });
      return;
    }
    const temporary = `${this.#file}.tmp`;
    writeFileSync(temporary, JSON.stringify(prompts), { mode: 0o600 });
    renameSync(temporary, this.#file);
  }
}

/** A damaged one holds nothing: the runs get their redacted prompts. */
function read(file: string): KeptPrompt[] {
  try {
    return keptPrompts.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return [];
  }
}
