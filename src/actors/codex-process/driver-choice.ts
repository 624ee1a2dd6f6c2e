/** Which driver runs Codex: as configured, or what the installed program is found to be able to do. */
import type { Config } from '../../config.ts';
import { BridgeError } from '../../errors.ts';
import type { CodexDriver } from '../../machines/codex-process-events.ts';
import type { CodexProcessOptions } from './codex-child.ts';
import { configurationArguments } from './app-server-arguments.ts';
import { probeAppServer } from './probe-app-server.ts';
import { programFile } from './program-file.ts';

export interface DriverChoice {
  /** Asks the program once; one that was replaced is asked again. Rejects with `config_invalid`. */
  choose: () => Promise<CodexDriver>;
}

type Log = (message: string, details: Record<string, string>) => void;

export function driverChoice(
  { codexBin, codexArgs, codexDriver }: Pick<Config, 'codexBin' | 'codexArgs' | 'codexDriver'>,
  { env, guard }: Pick<CodexProcessOptions, 'env' | 'guard'>,
  log: Log,
): DriverChoice {
  /** By path and time of change. */
  const found = new Map<string, Promise<CodexDriver>>();

  async function ask(program: string): Promise<CodexDriver> {
    if (configurationArguments(codexArgs) === undefined) {
      log('codex is driven by exec', { reason: 'CODEX_ARGS has what only "codex exec" takes' });
      return 'exec';
    }
    const lacking = await probeAppServer({ bin: codexBin, env, guard });
    const driver = lacking === null ? 'app-server' : 'exec';
    log(`codex is driven by ${driver}`, { program, ...(lacking === null ? {} : { lacking }) });
    return driver;
  }

  return {
    async choose() {
      if (codexDriver === 'app-server' && configurationArguments(codexArgs) === undefined) {
        throw new BridgeError('config_invalid', 'CODEX_ARGS has what only the driver "exec" takes');
      }
      if (codexDriver !== 'auto') return codexDriver;
      const program = await programFile(codexBin, env['PATH'] ?? '');
      // A run will say what is wrong with it.
      if (program === undefined) return 'exec';
      const { path, version } = program;
      const known = found.get(version) ?? ask(path);
      found.set(version, known);
      try {
        return await known;
      } catch (error) {
        // It did not say what it can: it is asked again by the next run.
        found.delete(version);
        const reason = error instanceof Error ? error.message : String(error);
        log('codex is driven by exec', { program: path, reason });
        return 'exec';
      }
    },
  };
}
