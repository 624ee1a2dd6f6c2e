import { existsSync, readFileSync } from 'node:fs';
import { adminKeyFile } from '../actors/convex-backend/table-counts.ts';
import type { Config } from '../config.ts';
import type { BridgeIdentity } from '../home.ts';
import type { OwnSecret } from '../secrets/find-secrets.ts';
import type { TokenSigner } from '../token-signer.ts';

/** What opens the bridge and its Convex, which makes its key when it first starts. */
export function ownSecrets(
  config: Config,
  identity: BridgeIdentity,
  tokens: TokenSigner,
): (OwnSecret | null)[] {
  const own = [
    { kind: 'bridge-token', value: identity.token },
    { kind: 'signing-key', value: tokens.privateValue },
  ];
  if (config.convexMode === 'remote') return own;
  const file = adminKeyFile(config.convexDb);
  if (!existsSync(file)) return [...own, null];
  return [...own, { kind: 'convex-admin-key', value: readFileSync(file, 'utf8').trim() }];
}
