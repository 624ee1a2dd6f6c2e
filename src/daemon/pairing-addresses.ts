import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { advertisedUrl } from './advertised-url.ts';

const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * How devices in the same network reach the bridge and its Convex, the likeliest way first.
 * Throws `pairing_unreachable` when the bridge listens on this machine only, or has no network.
 * @param bound `host:port` on which it listens
 */
export function pairingAddresses(config: Config, convexUrl: string | null, bound: string) {
  const { hostname, port } = new URL(`http://${bound}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (host === '::1' || host.startsWith('127.')) {
    throw new BridgeError(
      'pairing_unreachable',
      `it listens on ${bound}; start it with OPENAGENTS_BIND=0.0.0.0:${port}`,
    );
  }
  const hosts = EVERYWHERE.has(host) ? networkAddresses(host === '::') : [host];
  if (hosts.length === 0) throw new BridgeError('pairing_unreachable', 'it is in no network');
  return hosts.map((address) => {
    const reached = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
    return {
      bridgeUrl: `ws://${reached}/ws`,
      convexUrl: advertisedUrl(config, convexUrl, reached),
    };
  });
}

/** IPv4 first: it is short, and every home network has it. */
function networkAddresses(withIPv6: boolean): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = all.filter(({ internal, address }) => !internal && !/^fe80:/i.test(address));
  const of = (family: string) =>
    outside.filter((entry) => entry.family === family).map(({ address }) => address);
  return [...of('IPv4'), ...(withIPv6 ? of('IPv6') : [])];
}
