/** `oa-bridge pair`: a phone on the same network becomes a client by scanning a code. */
import { styleText } from 'node:util';
import { encodeQR } from 'qr';
import type { Config } from '../config.ts';
import type { PairingFrame } from '../control/frames.ts';
import { BridgeError } from '../errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';

export interface PairFlags {
  address?: string;
  json?: boolean;
}

export async function pair(config: Config, { address, json }: PairFlags): Promise<ExitCode> {
  const bridge = await connectLocalBridge(config);
  // The code goes with the connection that asked for it.
  using _ = { [Symbol.dispose]: () => bridge.close() };
  const pairing = await bridge.request('pair.open');
  const chosen = choose(pairing, address);
  const paired = Promise.withResolvers<string>();
  bridge.on('bridge.client_paired', (event) => {
    if (event.pairingId === pairing.pairingId) paired.resolve(event.address);
  });
  console.log(json === true ? JSON.stringify(pairing) : render(pairing, chosen));
  const expired = Promise.withResolvers<null>();
  const timer = setTimeout(expired.resolve, pairing.expiresAt - Date.now(), null);
  const lost = bridge.closed.then(() => {
    throw new BridgeError('bridge_unreachable', 'it ended before a device was paired');
  });
  try {
    const device = await Promise.race([paired.promise, expired.promise, lost]);
    if (device === null) {
      process.stderr.write('oa-bridge: the code is too old now; nobody used it.\n');
      return EXIT.failed;
    }
    console.log(json === true ? JSON.stringify({ paired: device }) : `Paired with ${device}.`);
    return EXIT.done;
  } finally {
    clearTimeout(timer);
  }
}

type Address = PairingFrame['addresses'][number];

function choose({ addresses }: PairingFrame, wanted: string | undefined): Address {
  const hosts = addresses.map(({ bridgeUrl }) => new URL(bridgeUrl).hostname);
  const chosen = addresses[wanted === undefined ? 0 : hosts.indexOf(wanted)];
  if (chosen !== undefined) return chosen;
  throw new BridgeError('arguments_invalid', `--address must be one of ${hosts.join(', ')}`);
}

function render({ addresses, expiresAt }: PairingFrame, chosen: Address): string {
  const minutes = Math.round((expiresAt - Date.now()) / 60_000);
  const others = addresses
    .filter((other) => other !== chosen)
    .map(({ bridgeUrl }) => new URL(bridgeUrl).hostname);
  return [
    `bridge  ${chosen.bridgeUrl}`,
    `convex  ${chosen.convexUrl}${isLocal(chosen.convexUrl) ? styleText('red', '  (this machine only: start with OPENAGENTS_CONVEX_INTERFACE=0.0.0.0)') : ''}`,
    ...(others.length > 0 ? [`or with --address ${others.join(', ')}`] : []),
    '',
    // `term` would be twice as large and not fit into a small window.
    onDark(encodeQR(chosen.link, 'ascii', { ecc: 'low' }).trimEnd()),
    '',
    chosen.link,
    '',
    'Scan it, or open the link on the device.',
    `It works once, within ${minutes} minutes, while this runs.`,
  ].join('\n');
}

/** Its light parts must be light on a terminal with a light background too. */
function onDark(code: string): string {
  const paint = (line: string) => styleText(['bgBlack', 'whiteBright'], line);
  return code.split('\n').map(paint).join('\n');
}

function isLocal(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}
