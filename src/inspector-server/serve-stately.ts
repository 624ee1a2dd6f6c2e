/**
 * The machines for Stately's own inspector: a WebSocket that sends what `@statelyai/inspect`
 * 0.7 sends (`createWebSocketReceiver` reads it), and a page that hands it to
 * https://stately.ai/inspect in a frame, as that package's own server does.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import type { BridgeConnection } from '../control/connect-bridge.ts';
import type { InspectEvent } from '../control/inspect-frames.ts';
import { listenOnLoopback, type ServedPage } from './listen-on-loopback.ts';
import { LOOPBACK } from './serve-page.ts';

/** Of the package whose format this is. */
const FORMAT_VERSION = '0.7.2';
/** An inspector that has this much unread is cut off: it can come back (bytes). */
const MAX_BACKLOG = 16 * 1024 * 1024;

/** `connect`: one connection to the daemon for each inspector, so that each is told all from the beginning. */
export async function serveStately(
  port: number,
  connect: () => Promise<BridgeConnection>,
): Promise<ServedPage> {
  const server = createServer((request, response) => {
    const isOurs = LOOPBACK.test(request.headers.host ?? '');
    response.writeHead(isOurs ? 200 : 403, { 'content-type': 'text/html; charset=utf-8' });
    response.end(isOurs ? FRAME : 'Only by a loopback address.');
  });
  const sockets = new WebSocketServer({
    server,
    verifyClient: ({ origin, req }: { origin: string | undefined; req: IncomingMessage }) =>
      LOOPBACK.test(req.headers.host ?? '') && isOwnOrigin(origin, req.headers.host ?? ''),
  });
  sockets.on('connection', (socket) => {
    void forward(socket, connect).catch(() => socket.close(1011, 'the bridge does not answer'));
  });
  const served = await listenOnLoopback(server, port);
  return {
    url: served.url,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      await served.close();
    },
  };
}

/** Other pages of the browser must not read along. A program has no origin. */
function isOwnOrigin(origin: string | undefined, host: string): boolean {
  return origin === undefined || origin === `http://${host}`;
}

async function forward(socket: WebSocket, connect: () => Promise<BridgeConnection>): Promise<void> {
  const bridge = await connect();
  socket.on('close', () => bridge.close());
  socket.on('error', () => undefined);
  const definitions = new Map<string, string>();
  bridge.onInspect(({ events }) => {
    if (socket.bufferedAmount > MAX_BACKLOG) socket.close(1013, 'too slow');
    else for (const event of events) socket.send(JSON.stringify(statelyEvent(event, definitions)));
  });
  bridge.onChange((change) => {
    if (change.state === 'connected') void bridge.request('machines.watch').catch(() => undefined);
  });
  await bridge.request('machines.watch');
}

/** Stately's inspector wants the definition with each actor, as text. */
function statelyEvent(event: InspectEvent, definitions: Map<string, string>) {
  const { at, type, sessionId } = event;
  const base = { type, sessionId, createdAt: String(at), id: null, _version: FORMAT_VERSION };
  switch (event.type) {
    case '@xstate.actor': {
      const { machine, name, parentId, rootId, snapshot, definition } = event;
      if (definition) definitions.set(machine, JSON.stringify(definition));
      const known = definitions.get(machine) ?? JSON.stringify({ id: name });
      return {
        ...base,
        name,
        parentId: parentId ?? undefined,
        rootId,
        snapshot,
        definition: known,
      };
    }
    case '@xstate.event':
      return { ...base, event: event.event, sourceId: event.sourceId ?? undefined };
    case '@xstate.snapshot':
      return { ...base, event: event.event, snapshot: event.snapshot };
  }
}

/** Events that come before the frame has announced itself wait for it. */
const FRAME = `<!doctype html>
<meta charset="utf-8">
<title>Stately Inspector: oa-bridge</title>
<style>html, body, iframe { width: 100%; height: 100%; margin: 0; border: 0; }</style>
<iframe title="Stately Inspector" src="https://stately.ai/inspect"></iframe>
<script>
  const frame = document.querySelector('iframe');
  const socket = new WebSocket(location.href.replace(/^http/, 'ws'));
  let waiting = [];
  const pass = (event) => frame.contentWindow.postMessage(event, 'https://stately.ai');
  addEventListener('message', ({ origin, data }) => {
    if (origin !== 'https://stately.ai' || data?.type !== '@statelyai.connected') return;
    waiting?.forEach(pass);
    waiting = null;
  });
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (waiting === null) pass(event);
    else waiting.push(event);
  };
</script>
`;
