/** `oa-bridge service`: the daemon under the care of the system. */
import { realpathSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { settings, type Config, type SettingName } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { serviceManager } from '../service/service-manager.ts';
import type { ServiceSpec } from '../service/unit.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

type Given = Partial<Record<SettingName, string>>;

export async function installService(
  config: Config,
  given: Given,
  printOnly: boolean,
): Promise<ExitCode> {
  const manager = serviceManager();
  const spec = serviceSpec(config, given);
  if (printOnly) {
    console.log(manager.text(spec).trimEnd());
    return EXIT.done;
  }
  try {
    await manager.install(spec);
  } finally {
    console.log(`Written: ${manager.file}`);
  }
  console.log(`Started: ${await manager.state()}. It starts again when you log in.`);
  if (process.platform === 'linux') console.log('Also without a login: loginctl enable-linger');
  return EXIT.done;
}

export async function uninstallService(): Promise<ExitCode> {
  const manager = serviceManager();
  if (!manager.isInstalled) {
    process.stderr.write(`oa-bridge: no service is installed (${manager.file})\n`);
    return EXIT.failed;
  }
  try {
    await manager.uninstall();
  } finally {
    console.log(`Removed: ${manager.file}`);
  }
  return EXIT.done;
}

export async function serviceStatus(): Promise<ExitCode> {
  const manager = serviceManager();
  console.log(manager.isInstalled ? `file   ${manager.file}` : 'not installed');
  if (!manager.isInstalled) return EXIT.failed;
  const state = await manager.state();
  console.log(`state  ${state}`);
  return state === 'active' || state === 'running' ? EXIT.done : EXIT.failed;
}

/** This very program, with the settings that it was given here; the token stays in the home. */
function serviceSpec(config: Config, given: Given): ServiceSpec {
  const script = process.argv[1];
  if (script === undefined) throw new BridgeError('internal', 'the program has no path');
  const environment: Record<string, string> = { PATH: process.env['PATH'] ?? '' };
  const places = absolute(config);
  for (const [name, { env }] of Object.entries(settings)) {
    // The names are those of `settings`.
    const value = given[name as SettingName] ?? process.env[env];
    if (name === 'token' || value === undefined || value === '') continue;
    environment[env] = places[name as SettingName] ?? value;
  }
  return { command: [process.execPath, realpathSync(script), 'start'], environment };
}

/** A service starts in another directory than this command: what is a path is given whole. */
function absolute(config: Config): Given {
  const { home, convexDb, codexHome, codexBin } = config;
  return {
    home,
    convexDb,
    codexHome,
    codexBin: /[\\/]/.test(codexBin) ? resolve(codexBin) : codexBin,
    redactOffIn: config.redactOffIn.join(delimiter),
    runRoots: config.runRoots.join(delimiter),
    backfillRoots: config.backfillRoots.join(delimiter),
  };
}
