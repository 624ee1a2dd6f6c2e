import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

export interface AccessPolicy {
  /** Names under which the machine is known, beyond `localhost` and IP addresses. Lower case. */
  hostNames: readonly string[];
  /** Origins of web pages that may connect although they come from elsewhere. */
  allowedOrigins: readonly string[];
}

/**
 * Whether a request may be answered at all; null is yes, else the reason why not. The Host
 * header first: a name that somebody else's DNS points here (rebinding) gets nowhere. Then
 * the Origin: pages of this machine and of listed origins may connect, other pages may not.
 * Programs that are not web pages send no Origin.
 */
export function refusal(request: IncomingMessage, policy: AccessPolicy): Refusal | null {
  const host = hostName(`http://${request.headers.host ?? ''}`);
  if (host === null || !(isIP(host) !== 0 || isOwnName(host, policy))) {
    return {
      code: 'ForbiddenHost',
      message:
        "The Host header must be an IP address, localhost or this machine's name; allow other names with --allow-host.",
    };
  }
  const { origin } = request.headers;
  if (origin === undefined || policy.allowedOrigins.includes(origin)) return null;
  const originHost = hostName(origin);
  // `host` was checked above, so a page that was loaded from it is one of ours.
  if (originHost !== null && (originHost === host || isOwnName(originHost, policy))) return null;
  return {
    code: 'ForbiddenOrigin',
    message: `Pages of ${origin} may not connect; allow them with --allow-origin.`,
  };
}

export interface Refusal {
  code: string;
  message: string;
}

function isOwnName(host: string, policy: AccessPolicy): boolean {
  return isLoopback(host) || policy.hostNames.includes(host);
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    /^127\.\d+\.\d+\.\d+$/.test(host)
  );
}

/** Lower case, without port and brackets; null for `null`, as sandboxed pages have it. */
function hostName(url: string): string | null {
  const hostname = URL.parse(url)?.hostname ?? '';
  return hostname === '' ? null : hostname.replace(/^\[|\]$/g, '').toLowerCase();
}
