/** The backfill that goes on, kept in the OpenAgents home: after a restart it goes on. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Job } from '../../machines/backfill-status.ts';
import { replaceFile } from '../replace-file.ts';
import { jsonOrUndefined } from '../../control/json-or-undefined.ts';

const jobFile = z.object({
  id: z.string().min(1),
  selection: z.object({
    limit: z.int().min(1).exactOptional(),
    since: z.number().exactOptional(),
    path: z.string().min(1).exactOptional(),
  }),
  startedAt: z.number(),
});

export class JobFile {
  readonly #file: string;
  /** One after the other: a job must not be written down after it was forgotten. */
  #last: Promise<void> = Promise.resolve();

  constructor(home: string) {
    this.#file = join(home, 'backfill.json');
  }

  /** Null when no job goes on; `complain` hears of a file that does not tell. */
  read(complain: (message: string) => void): Job | null {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isMissing) complain(`${this.#file} cannot be read (${String(error)})`);
      return null;
    }
    const parsed = jobFile.safeParse(jsonOrUndefined(text));
    if (parsed.success) return { ...parsed.data, kind: 'request' };
    complain(`${this.#file} is not what the bridge wrote; the backfill in it is forgotten`);
    return null;
  }

  async save({ id, selection, startedAt }: Job): Promise<void> {
    const text = `${JSON.stringify({ id, selection, startedAt })}\n`;
    await this.#afterLast(() => replaceFile(this.#file, text));
  }

  async forget(): Promise<void> {
    await this.#afterLast(() => rm(this.#file, { force: true }));
  }

  async #afterLast(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    await result;
  }
}
