import type { Config } from '../config.ts';

/** Where this client reaches Convex: by the name under which it reached us, if Convex listens there too. */
export function advertisedUrl(config: Config, url: string | null, requestHost: string): string {
  if (config.convexMode === 'remote') return config.convexUrl ?? '';
  const own = new URL(url ?? `http://127.0.0.1:${config.convexPort}`);
  const reachedBy = URL.parse(`http://${requestHost}`)?.hostname;
  const listensEverywhere = ['0.0.0.0', '::'].includes(config.convexInterface);
  if (listensEverywhere && reachedBy !== undefined) own.hostname = reachedBy;
  return own.origin;
}
