/** Whose tokens this deployment takes: those of the bridges whose keys are in OPENAGENTS_JWKS. */
import type { AuthConfig } from 'convex/server';
import { ISSUER } from './issuer.ts';

declare const process: { env: Record<string, string | undefined> };

export default {
  providers: [
    {
      type: 'customJwt',
      // Convex wants a URL here, and adds the protocol to what stands in the token.
      issuer: `https://${ISSUER}`,
      // `oa-bridge token --jwks` prints it. Unset, it is refused by name before this line goes on.
      jwks: process.env['OPENAGENTS_JWKS'] ?? '',
      algorithm: 'ES256',
    },
  ],
} satisfies AuthConfig;
