/** What a QR code of `oa-bridge pair` says. */
import { z } from 'zod';

export interface PairingLink {
  /** `ws://host:port/ws` */
  bridgeUrl: string;
  convexUrl: string;
  /** Exchanged for the token, once. */
  code: string;
}

export function formatPairingLink({ bridgeUrl, convexUrl, code }: PairingLink): string {
  const fields = new URLSearchParams({ bridge: bridgeUrl, convex: convexUrl, code });
  return `openagents://pair?${fields.toString()}`;
}

/** Throws a ZodError when it is no such link. */
export function parsePairingLink(link: string): PairingLink {
  const url = new URL(link);
  const fields = Object.fromEntries(url.searchParams);
  const { bridge, convex, code } = parts.parse({ scheme: url.protocol, ...fields });
  return { bridgeUrl: bridge, convexUrl: convex, code };
}

const parts = z.object({
  scheme: z.literal('openagents:'),
  bridge: z.url({ protocol: /^wss?$/ }),
  convex: z.url({ protocol: /^https?$/ }),
  code: z.string().min(1).max(128),
});
