/** The two addresses: served by us, free, or held by somebody else. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { probeBackend } from '../actors/convex-backend/probe.ts';
import type { Config } from '../config.ts';
import { connectBridge, type BridgeConnection } from '../control/connect-bridge.ts';
import { readToken } from '../home.ts';
import { reachableHost } from '../reachable-host.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

export async function checkControl(config: Config): Promise<Finding> {
  const { host, port } = config.bind;
  const state = await portState(host, port);
  const shown = `${host}:${port}`;
  if (state === 'free') return ok('control', `${shown} is free; no bridge runs`);
  if (state !== 'taken') {
    return failed('control', `${shown}: ${state}`, 'choose another address with OPENAGENTS_BIND');
  }
  const bridge = await ownBridge(config);
  if (bridge === undefined) {
    const advice = 'stop the other program, or choose another address with OPENAGENTS_BIND';
    return failed('control', `${shown} is held by a program that does not take our token`, advice);
  }
  const { version, pid } = await bridge.request('bridge.status');
  bridge.close();
  return ok('control', `oa-bridge ${version} serves ${shown} (pid ${pid})`);
}

export async function checkConvex(config: Config): Promise<Finding> {
  const { convexMode, convexUrl, convexInterface, convexPort } = config;
  if (convexMode === 'remote' && convexUrl !== undefined) return await checkRemote(convexUrl);
  const bridge = await ownBridge(config);
  if (bridge !== undefined) {
    const { healthy, url, state, lastError } = await bridge.request('convex.status');
    bridge.close();
    if (healthy) return ok('convex', `${url} is healthy`);
    const found = `${url} is ${state}${lastError === null ? '' : `: ${lastError}`}`;
    return (lastError === null ? warning : failed)('convex', found, 'see "oa-bridge logs"');
  }
  const shown = `${convexInterface}:${convexPort}`;
  const held = await portState(convexInterface, convexPort);
  if (held === 'free') return ok('convex', `${shown} is free`);
  return held === 'taken'
    ? failed(
        'convex',
        `${shown} is held by another program`,
        'stop it, or choose another port with OPENAGENTS_CONVEX_PORT',
      )
    : failed(
        'convex',
        `${shown}: ${held}`,
        'choose another with OPENAGENTS_CONVEX_INTERFACE and OPENAGENTS_CONVEX_PORT',
      );
}

async function checkRemote(url: string): Promise<Finding> {
  try {
    await probeBackend(url, new AbortController().signal);
    return ok('convex', `${url} is healthy`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return warning('convex', reason, 'nothing is lost: the bridge waits for it');
  }
}

/** The bridge of this home, where it answers. */
async function ownBridge(config: Config): Promise<BridgeConnection | undefined> {
  const { host, port } = config.bind;
  const token = config.token ?? tokenOf(config.home);
  if (token === undefined) return undefined;
  const url = `ws://${reachableHost(host)}:${port}/ws`;
  return await connectBridge({ url, token, reconnect: false }).catch(() => undefined);
}

/** `free`, `taken`, or why it cannot be had. */
async function portState(host: string, port: number): Promise<string> {
  if (port === 0) return 'free';
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return 'free';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return code === 'EADDRINUSE' ? 'taken' : code;
  } finally {
    server.close();
  }
}

function tokenOf(home: string): string | undefined {
  try {
    return readToken(home);
  } catch {
    // Told by the line of the home.
    return undefined;
  }
}
