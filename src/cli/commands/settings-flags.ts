/** The settings of the bridge as flags of a command. */
import type { Command } from 'commander';
import { settings, type Config, type Setting, type SettingName } from '../../config.ts';
import type { ExitCode } from '../exit-codes.ts';

/** As they were typed. */
export type Flags = Partial<Record<SettingName, string>>;

/** Makes the configuration of flags and environment, and runs with it what a command does. */
export type Run = (flags: Flags, command: (config: Config) => Promise<ExitCode>) => Promise<void>;

// The keys of `settings` are its names.
export const EVERYTHING = Object.keys(settings) as SettingName[];

/** What a command needs in order to find the daemon of this machine. */
export const LOCAL: readonly SettingName[] = ['home', 'bind', 'token'];
export const CONVEX: readonly SettingName[] = ['home', 'convexPort', 'convexInterface', 'convexDb'];

export function withSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const setting: Setting = settings[name];
    if (setting.flag === undefined) {
      const text = `\n${setting.env}: ${setting.description}\n(${setting.default})`;
      command.addHelpText('after', text);
      continue;
    }
    const shownDefault = setting.default === '' ? '' : `, default ${setting.default}`;
    command.option(setting.flag, `${setting.description} (${setting.env}${shownDefault})`);
  }
  return command;
}
