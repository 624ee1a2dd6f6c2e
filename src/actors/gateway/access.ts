/** Who may open the control WebSocket; decided before the upgrade. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { isLoopback } from '../../loopback.ts';

export interface AccessPolicy {
  /** May be replaced while we serve. */
  readonly token: string;
  /** Origins beyond loopback and the daemon's own address, e.g. `https://app.example`. */
  allowedOrigins: readonly string[];
  /** Host names beyond IP literals and `localhost`, e.g. the machine's own name. Lower case. */
  hostNames: readonly string[];
}

export interface Refusal {
  status: 401 | 403 | 429;
  code: 'unauthorized' | 'forbidden' | 'too_many_attempts';
  message: string;
}

/**
 * Whether it comes from where a client may come from. Host first (a rebound DNS name gets
 * nowhere), then Origin (a foreign page gets nowhere). No `Origin`, as native clients have
 * it, is fine.
 */
export function checkPlace(request: IncomingMessage, policy: AccessPolicy): Refusal | undefined {
  const host = hostName(request.headers.host);
  if (host === undefined || !isOwnHost(host, policy)) {
    return forbidden("The Host header must be an IP address, localhost or this machine's name.");
  }
  const { origin } = request.headers;
  if (origin !== undefined && !isAllowedOrigin(origin, policy)) {
    return forbidden('This Origin may not connect; list it in OPENAGENTS_ALLOWED_ORIGINS.');
  }
  return undefined;
}

export function checkToken(request: IncomingMessage, policy: AccessPolicy): Refusal | undefined {
  if (sameSecret(presentedToken(request), policy.token)) return undefined;
  return {
    status: 401,
    code: 'unauthorized',
    message:
      'A valid token is required: "Authorization: Bearer <token>" or "?token=". Show it with "oa-bridge token".',
  };
}

function isOwnHost(host: string, policy: AccessPolicy): boolean {
  return isIP(host) !== 0 || host === 'localhost' || policy.hostNames.includes(host);
}

function isAllowedOrigin(origin: string, policy: AccessPolicy): boolean {
  if (policy.allowedOrigins.includes(origin)) return true;
  // `null` (sandboxed frames, local files) does not parse, and so is refused.
  const url = URL.parse(origin);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return false;
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return isLoopback(host) || policy.hostNames.includes(host) || isOwnAddress(host, policy);
}

/** The daemon's own addresses are given as host names of the policy too. */
function isOwnAddress(host: string, policy: AccessPolicy): boolean {
  return isIP(host) !== 0 && policy.hostNames.includes(host);
}

/** The name part of a Host header, in lower case, without port and brackets. */
export function hostName(header: string | undefined): string | undefined {
  const url = header === undefined ? null : URL.parse(`http://${header}`);
  return url?.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

export function presentedToken(request: IncomingMessage): string {
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  return URL.parse(request.url ?? '/', 'http://localhost')?.searchParams.get('token') ?? '';
}

/** Hashes have equal lengths, so the comparison tells nothing, not even a length. */
function sameSecret(presented: string, expected: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(presented), digest(expected));
}

function forbidden(message: string): Refusal {
  return { status: 403, code: 'forbidden', message };
}
