/** The two addresses: served by us, free, or held by somebody else. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { probeBackend } from '../actors/convex-backend/probe.ts';
import type { Config } from '../config.ts';
import { connectBridge } from '../control/connect-bridge.ts';
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
  const token = config.token ?? tokenOf(config.home);
  const url = `ws://${reachableHost(host)}:${port}/ws`;
  try {
    if (token === undefined) throw new Error('This home has no token.');
    const bridge = await connectBridge({ url, token, reconnect: false });
    const { version, pid } = await bridge.request('bridge.status');
    bridge.close();
    return ok('control', `oa-bridge ${version} serves ${shown} (pid ${pid})`);
  } catch {
    const advice = 'stop the other program, or choose another address with OPENAGENTS_BIND';
    return failed('control', `${shown} is held by a program that does not take our token`, advice);
  }
}

export async function checkConvex(config: Config): Promise<Finding> {
  const { convexMode, convexUrl, convexInterface, convexPort } = config;
  const isRemote = convexMode === 'remote' && convexUrl !== undefined;
  const url = isRemote ? convexUrl : `http://${reachableHost(convexInterface)}:${convexPort}`;
  const state = isRemote ? 'taken' : await portState(convexInterface, convexPort);
  if (state === 'free') return ok('convex', `${convexInterface}:${convexPort} is free`);
  if (state !== 'taken') {
    const advice = 'choose another with OPENAGENTS_CONVEX_INTERFACE and OPENAGENTS_CONVEX_PORT';
    return failed('convex', `${convexInterface}:${convexPort}: ${state}`, advice);
  }
  try {
    await probeBackend(url, new AbortController().signal);
    return ok('convex', `${url} is healthy`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return isRemote
      ? warning('convex', reason, 'nothing is lost: the bridge waits for it')
      : failed('convex', reason, 'stop the other program, or set OPENAGENTS_CONVEX_PORT');
  }
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
