/** Whether a client turned the sessions watcher off; kept in the OpenAgents home. */
import { readFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromPromise } from 'xstate';
import { z } from 'zod';

const choiceFile = z.looseObject({ enabled: z.boolean() });

export class WatchChoice {
  readonly #file: string;

  constructor(home: string) {
    this.#file = join(home, 'sessions-watch.json');
  }

  /** The last choice; null when none was made, or the file does not tell (then the default counts again). */
  read(): boolean | null {
    try {
      return choiceFile.parse(JSON.parse(readFileSync(this.#file, 'utf8'))).enabled;
    } catch {
      return null;
    }
  }

  /** On disk when it resolves: a rename replaces the file whole, even if the power fails. */
  async save(enabled: boolean): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    const temporary = `${this.#file}.${process.pid}.tmp`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ enabled })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#file);
  }
}

/** What `sessionsWatch` takes as its actor `saveChoice`. */
export function saveChoice(choice: WatchChoice) {
  return fromPromise<void, { enabled: boolean }>(({ input }) => choice.save(input.enabled));
}
