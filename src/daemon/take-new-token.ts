import { readToken } from '../home.ts';
import type { Parts } from './parts.ts';

/**
 * Takes over a token that was written to `bridge.json` while we run; true when there was one.
 * A token from the environment stays. Errors: `home_unsafe`, `config_invalid`.
 */
export function takeNewToken({ config, identity, log, logSecrets, redaction }: Parts): boolean {
  const token = config.token ?? readToken(config.home);
  if (token === undefined || token === identity.token) return false;
  identity.token = token;
  logSecrets.push(token);
  redaction.forget();
  log.info('the token was replaced; sessions of the old one end');
  return true;
}
