import { hostname, networkInterfaces } from 'node:os';
import { gatewayServer } from '../actors/gateway/server.ts';
import { tokenWatch } from '../actors/gateway/token-watch.ts';
import { BridgeError } from '../errors.ts';
import { identityFile } from '../home.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { gateway } from '../machines/gateway.ts';
import { SYSTEM } from '../machines/protocol.ts';
import { advertisedUrl } from './advertised-url.ts';
import { pairingAddresses } from './pairing-addresses.ts';
import type { Parts } from './parts.ts';
import { takeNewToken } from './take-new-token.ts';

/** The control WebSocket. */
export function gatewayChild(parts: Parts): ChildSpec {
  const { config, identity, inspection, version, connection, tokens } = parts;
  let bound = `${config.bind.host}:${config.bind.port}`;
  const server = gatewayServer({
    host: config.bind.host,
    port: config.bind.port,
    access: {
      get token() {
        return identity.token;
      },
      allowedOrigins: config.allowedOrigins,
      hostNames: ownNames(),
    },
    onListening: (address) => {
      bound = address;
    },
    pairingAddresses: () => pairingAddresses(config, connection.url, bound),
    hello: (requestHost) => ({
      bridgeId: identity.bridgeId,
      machineId: identity.machineId,
      version,
      convexUrl: advertisedUrl(config, connection.url, requestHost),
    }),
    inspection,
    async convexToken(requestHost) {
      if (connection.url === null && config.convexPort === 0) {
        throw new BridgeError('convex_unavailable', 'its address is not known yet');
      }
      const url = advertisedUrl(config, connection.url, requestHost);
      return { url, ...(await tokens.sign('client')) };
    },
  });
  return childSpec({
    id: SYSTEM.gateway,
    systemId: SYSTEM.gateway,
    logic: gateway.provide({
      actors: {
        server,
        tokenWatch: tokenWatch(identityFile(config.home), () => takeNewToken(parts)),
      },
    }),
    restart: 'permanent',
    shutdown: 500,
  });
}

/** The names and addresses of this machine: a Host or Origin with one of them is our own. */
function ownNames(): string[] {
  const name = hostname().toLowerCase();
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  // Bonjour and Avahi add ".local".
  return [name, `${name}.local`, ...addresses.map(({ address }) => address.toLowerCase())];
}
