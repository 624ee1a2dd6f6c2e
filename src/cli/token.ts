/** `oa-bridge token`: the secret that clients present, a token for Convex, or the keys behind it. */
import { z } from 'zod';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { openHome } from '../home.ts';
import { keySetUrl, openTokenSigner } from '../token-signer.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { rotate } from './rotate-token.ts';

export interface TokenFlags {
  convex?: boolean;
  /** The value of OPENAGENTS_JWKS that a deployment has already: keys of other bridges. */
  jwks?: boolean | string;
  rotate?: boolean;
}

export async function token(config: Config, flags: TokenFlags): Promise<ExitCode> {
  console.log(await asked(config, flags));
  return EXIT.done;
}

async function asked(config: Config, flags: TokenFlags): Promise<string> {
  const { convex, jwks, rotate: replace } = flags;
  if (Object.keys({ convex, jwks, rotate: replace }).filter((name) => name in flags).length > 1) {
    throw new BridgeError('arguments_invalid', 'give one of --convex, --jwks and --rotate');
  }
  if (replace === true) return await rotate(config);
  if (convex === true) return (await openTokenSigner(config.home).sign('client')).token;
  if (jwks === undefined) return openHome(config.home, config.token).token;
  const own = openTokenSigner(config.home).publicKey;
  const others = typeof jwks === 'string' && jwks !== '' ? await keysIn(jwks) : [];
  return keySetUrl([...others.filter(({ kid }) => kid !== own['kid']), own]);
}

async function keysIn(url: string): Promise<z.infer<typeof keySet>['keys']> {
  try {
    if (!url.startsWith('data:')) throw new Error('it is no data: URL');
    return keySet.parse(await (await fetch(url)).json()).keys;
  } catch (cause) {
    throw new BridgeError('arguments_invalid', '--jwks takes a value that it has printed itself', {
      cause,
    });
  }
}

const keySet = z.object({ keys: z.array(z.looseObject({ kid: z.string() })) });
