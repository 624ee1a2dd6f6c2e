/** Whether a client turned the sessions watcher off; kept in the OpenAgents home. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromPromise } from 'xstate';
import { z } from 'zod';
import { replaceFile } from '../replace-file.ts';

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

  /** On disk when it resolves. */
  async save(enabled: boolean): Promise<void> {
    await replaceFile(this.#file, `${JSON.stringify({ enabled })}\n`);
  }
}

/** What `sessionsWatch` takes as its actor `saveChoice`. */
export function saveChoice(choice: WatchChoice) {
  return fromPromise<void, { enabled: boolean }>(({ input }) => choice.save(input.enabled));
}
