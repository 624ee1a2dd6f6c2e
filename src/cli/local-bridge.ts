/** The daemon of this machine, as the commands reach it. */
import { request as httpRequest } from 'node:http';
import { text as readAll } from 'node:stream/consumers';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { connectBridge, type BridgeConnection } from '../control/connect-bridge.ts';
import { BridgeError } from '../errors.ts';
import { readToken } from '../home.ts';
import { reachableHost } from '../reachable-host.ts';
import { jsonOrUndefined } from '../control/json-or-undefined.ts';

/**
 * Connects with the token of the home. Throws `bridge_unreachable` when nobody answers, and
 * `bridge_refused` when somebody does who does not let us in.
 */
export async function connectLocalBridge(config: Config): Promise<BridgeConnection> {
  const { url, token } = localBridge(config);
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await connectBridge({ url, token, reconnect: false });
    } catch (cause) {
      const reason = await whyNot(url, token, cause);
      if (reason !== null) throw reason;
      if (!isFirst) throw new BridgeError('bridge_unreachable', `${url} hangs up`, { cause });
    }
  }
}

/** Where it is, and what opens it. */
export function localBridge(config: Config): { url: string; token: string } {
  const token = config.token ?? readToken(config.home);
  if (token === undefined) {
    throw new BridgeError(
      'bridge_unreachable',
      `${config.home} has no token, so no bridge has run there yet`,
    );
  }
  return { url: controlUrl(config), token };
}

/** Where a client on this machine finds the daemon. */
function controlUrl({ bind: { host, port } }: Config): string {
  return `ws://${reachableHost(host)}:${port}/ws`;
}

/**
 * A WebSocket does not tell why it was refused, so the same is asked once more over HTTP.
 * Null when we are let in now: it has just begun to serve, or to take a new token.
 */
async function whyNot(url: string, token: string, cause: unknown): Promise<BridgeError | null> {
  let answer: Answer;
  try {
    answer = await askToUpgrade(url, token);
  } catch {
    return new BridgeError('bridge_unreachable', `nobody listens at ${url}`, { cause });
  }
  if (answer === 'upgraded') return null;
  const { success, data } = refusal.safeParse(answer.body);
  const reason = !success
    ? `HTTP status ${answer.status}, so it is no bridge`
    : answer.status === 401
      ? 'it has another token: it runs on another home (OPENAGENTS_HOME), or its token comes from OPENAGENTS_BRIDGE_TOKEN'
      : data.message;
  return new BridgeError('bridge_refused', `${url}: ${reason}`, { cause });
}

const refusal = z.object({ message: z.string() });

/** A daemon that is busy or just ending may not answer at all (ms). */
const ANSWER_LIMIT_MS = 5_000;

type Answer = 'upgraded' | { status: number; body: unknown };

async function askToUpgrade(url: string, token: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = httpRequest(url.replace(/^ws/, 'http'), {
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    headers: {
      authorization: `Bearer ${token}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      // Any 16 bytes will do: the connection is not used.
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    },
  });
  request.on('error', reject);
  request.on('upgrade', (_response, socket) => {
    socket.destroy();
    resolve('upgraded');
  });
  request.on('response', (response) => {
    readAll(response).then(
      (text) => resolve({ status: response.statusCode ?? 0, body: jsonOrUndefined(text) }),
      reject,
    );
  });
  request.end();
  return await promise;
}
