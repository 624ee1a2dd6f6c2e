/** Which Codex there is: asked at the start, while there is none, and when it was replaced. */
import type { Config } from '../../config.ts';
import type { Log } from '../../log.ts';
import { childEnvironment } from './child-environment.ts';
import { codexVersion } from './codex-version.ts';
import { programFile } from './program-file.ts';

export interface CodexProbe {
  /** As last seen; null when none has answered yet. To ask for it has it looked at anew. */
  version(): string | null;
}

export function codexProbe(
  { codexBin, codexHome }: Pick<Config, 'codexBin' | 'codexHome'>,
  log: Pick<Log, 'info' | 'warn'>,
): CodexProbe {
  const env = childEnvironment(process.env, codexHome);
  let known: string | null = null;
  /** The program that has answered. */
  let answered: string | undefined;
  let isLooking = false;
  let hasComplained = false;

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    const program = (await programFile(codexBin, env['PATH'] ?? ''))?.version;
    if (known === null || program !== answered) await ask();
    answered = program;
    isLooking = false;
  }

  async function ask(): Promise<void> {
    try {
      known = await codexVersion(codexBin, env);
      log.info({ codexBin, version: known }, 'codex is there');
      hasComplained = false;
    } catch (error) {
      known = null;
      // Sessions of others are mirrored all the same, so it is said once and not an error.
      if (!hasComplained) log.warn({ codexBin, err: error }, 'codex cannot be run');
      hasComplained = true;
    }
  }

  void look();
  return {
    version() {
      void look();
      return known;
    },
  };
}
