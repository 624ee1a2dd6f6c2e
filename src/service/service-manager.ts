/** The service manager of this system, as `oa-bridge service` uses it. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { BridgeError } from '../errors.ts';
import { launchdPlist, systemdUnit, type ServiceSpec } from './unit.ts';

export interface ServiceManager {
  /** Where its file is. */
  readonly file: string;
  readonly isInstalled: boolean;
  text(spec: ServiceSpec): string;
  /** Writes the file and starts the service. Throws `service_failed`. */
  install(spec: ServiceSpec): Promise<void>;
  /** Ends the service and removes the file. Throws `service_failed`. */
  uninstall(): Promise<void>;
  /** In the manager's own word, e.g. `active`. */
  state(): Promise<string>;
}

/** Throws `service_unsupported` where there is none that we know. */
export function serviceManager(
  platform: NodeJS.Platform = process.platform,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ServiceManager {
  if (platform === 'linux') return systemd(env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'));
  if (platform === 'darwin') return launchd();
  throw new BridgeError('service_unsupported', platform);
}

const UNIT = 'oa-bridge.service';

function systemd(configuration: string): ServiceManager {
  const file = join(configuration, 'systemd', 'user', UNIT);
  const systemctl = (...args: string[]) => run('systemctl', '--user', ...args);
  return {
    file,
    get isInstalled() {
      return existsSync(file);
    },
    text: systemdUnit,
    async install(spec) {
      write(file, systemdUnit(spec));
      await systemctl('daemon-reload');
      await systemctl('enable', UNIT);
      await systemctl('restart', UNIT);
    },
    async uninstall() {
      try {
        await systemctl('disable', '--now', UNIT);
      } finally {
        rmSync(file, { force: true });
      }
      await systemctl('daemon-reload');
    },
    state: () => word('systemctl', '--user', 'is-active', UNIT),
  };
}

const LABEL = 'dev.openagents.bridge';

function launchd(): ServiceManager {
  const file = join(homedir(), 'Library', 'LaunchAgents', `${LABEL}.plist`);
  const domain = `gui/${process.getuid?.() ?? 0}`;
  return {
    file,
    get isInstalled() {
      return existsSync(file);
    },
    text: (spec) => launchdPlist(LABEL, spec),
    async install(spec) {
      // One that is loaded already keeps what it was loaded with.
      if (existsSync(file)) await run('launchctl', 'bootout', domain, file).catch(() => undefined);
      write(file, launchdPlist(LABEL, spec));
      await run('launchctl', 'bootstrap', domain, file);
    },
    async uninstall() {
      try {
        await run('launchctl', 'bootout', domain, file);
      } finally {
        rmSync(file, { force: true });
      }
    },
    state: async () => {
      const printed = await word('launchctl', 'print', `${domain}/${LABEL}`);
      return /state = (\w+)/.exec(printed)?.[1] ?? 'not loaded';
    },
  };
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  // Its environment may hold what others need not read.
  writeFileSync(file, text, { mode: 0o600 });
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { failed, stderr, shortMessage } = await execa(program, args, { reject: false });
  if (!failed) return;
  const reason = stderr?.trim() ? stderr.trim() : shortMessage;
  throw new BridgeError('service_failed', `"${program} ${args.join(' ')}": ${reason}`);
}

async function word(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await execa(program, args, { reject: false });
  const said = stdout?.trim() ? stdout : stderr;
  return said?.trim() ? said.trim() : 'unknown';
}
