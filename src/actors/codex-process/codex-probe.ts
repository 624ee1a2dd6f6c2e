/** Which Codex there is: asked at the start, and again while there is none. */
import type { Config } from '../../config.ts';
import type { Log } from '../../log.ts';
import { childEnvironment } from './child-environment.ts';
import { codexVersion } from './codex-version.ts';

export interface CodexProbe {
  /** As last seen; null when no Codex has answered yet. */
  version(): string | null;
}

export function codexProbe({ codexBin, codexHome }: Config, log: Log): CodexProbe {
  let known: string | null = null;
  let asking = false;
  let complained = false;
  const ask = async () => {
    asking = true;
    try {
      known = await codexVersion(codexBin, childEnvironment(process.env, codexHome));
      log.info({ codexBin, version: known }, 'codex is there');
    } catch (error) {
      // Sessions of others are mirrored all the same, so it is said once and not an error.
      if (!complained) log.warn({ codexBin, err: error }, 'codex cannot be run');
      complained = true;
    } finally {
      asking = false;
    }
  };
  void ask();
  return {
    version() {
      if (known === null && !asking) void ask();
      return known;
    },
  };
}
