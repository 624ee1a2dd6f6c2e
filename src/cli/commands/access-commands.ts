/** Who gets in. */
import type { Command } from 'commander';
import type { PairFlags } from '../pair.ts';
import type { TokenFlags } from '../token.ts';
import { LOCAL, type Flags, type Run, withSettings } from './settings-flags.ts';

export function accessCommands(root: Command, run: Run): void {
  withSettings(root.command('token'), LOCAL)
    .description('print the token that clients present to the bridge, making one if there is none')
    .option('--convex', "print a token for Convex instead, as a client's setAuth takes it; 1 hour")
    .option('--rotate', 'make a new token; a running bridge ends the sessions of the old one')
    .option(
      '--jwks [with]',
      'print the public keys that a deployment checks tokens with; adds ours',
    )
    .action((flags: Flags & TokenFlags) =>
      run(flags, async (config) => (await import('../token.ts')).token(config, flags)),
    );

  withSettings(root.command('pair'), LOCAL)
    .description('let a phone on the same network become a client, by a QR code that works once')
    .option('--address <host>', 'show this address of the machine, where it has several')
    .option('--json', 'for machines: the bridge.pairing frame, then who used it')
    .action((flags: Flags & PairFlags) =>
      run(flags, async (config) => (await import('../pair.ts')).pair(config, flags)),
    );
}
