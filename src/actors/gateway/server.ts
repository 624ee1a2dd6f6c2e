/** The sockets behind the gateway machine: HTTP upgrade, access, frames in, frames out. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { isIPv6, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { fromCallback } from 'xstate';
import { frameId, parseFrame } from '../../control/parse-frame.ts';
import type { Broadcast, ConvexTokenFrame, HelloFrame } from '../../control/frames.ts';
import type { ControlRequest } from '../../control/requests.ts';
import { BridgeError, toBridgeError } from '../../errors.ts';
import type { ServerCommand, ServerEvent } from '../../machines/gateway.ts';
import { checkAccess, type AccessPolicy } from './access.ts';
import type { InspectionFeed } from '../inspection/inspection-feed.ts';
import { Connection } from './connection.ts';
import { errorFrame, PendingRequests, withReplyTo } from './pending-requests.ts';
import { ReplayBuffer } from './replay-buffer.ts';

export interface GatewayServerOptions {
  host: string;
  /** 0 picks a free port. */
  port: number;
  access: AccessPolicy;
  /** The greeting without what the server itself knows; `requestHost` is how this client reached us. */
  hello(requestHost: string): Omit<HelloFrame, 'type' | 'protocol' | 'replay'>;
  /** A token for Convex, and where this client reaches it. May reject with a BridgeError. */
  convexToken(requestHost: string): Promise<Omit<ConvexTokenFrame, 'type'>>;
  /** What goes on in the machines. Its frames come here directly: as events they would be seen themselves. */
  inspection: Pick<InspectionFeed, 'watch'>;
}

/** Frames larger than this are answered `too_large` (bytes). */
const MAX_FRAME_BYTES = 1024 * 1024;
/** ws cuts the connection above this; between the two the client gets an answer (bytes). */
const HARD_FRAME_BYTES = 8 * MAX_FRAME_BYTES;
const MAX_CLIENTS = 64;
/** Application close code for a client that reads too slowly. */
const CLOSE_LAGGING = 4008;
const CLOSE_GOING_AWAY = 1001;

export function gatewayServer(options: GatewayServerOptions) {
  return fromCallback<ServerCommand>(({ sendBack, receive }) => {
    const hub = new Hub(options, sendBack);
    receive((command) => hub.handle(command));
    return () => hub.stop();
  });
}

class Hub {
  readonly #options: GatewayServerOptions;
  readonly #notify: (event: ServerEvent) => void;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: HARD_FRAME_BYTES,
    perMessageDeflate: false,
  });
  readonly #clients = new Map<string, Connection>();
  readonly #pending = new PendingRequests();
  /** What ends the watch of each client that watches the machines. */
  readonly #watches = new Map<Connection, () => void>();
  readonly #replay = new ReplayBuffer(Date.now());
  #server: Server | undefined;
  #opened = 0;

  constructor(options: GatewayServerOptions, notify: (event: ServerEvent) => void) {
    this.#options = options;
    this.#notify = notify;
  }

  handle(command: ServerCommand): void {
    switch (command.type) {
      case 'server.bind':
        return this.#bind();
      case 'server.close':
        return this.#close();
      case 'client.evict':
        return this.#clients.get(command.clientId)?.close(CLOSE_LAGGING, command.reason);
      case 'control.reply':
        return this.#pending.reply(command.requestId, command.frame);
      case 'control.failed':
        return this.#pending.fail(command.requestId, command.error);
      case 'broadcast':
        return this.#broadcast(command.frame);
      case 'broadcast.line':
        return this.#broadcastLine(command);
    }
  }

  stop(): void {
    this.#pending.drop();
    for (const client of this.#watches.keys()) this.#unwatch(client);
    for (const client of this.#clients.values()) client.close(CLOSE_GOING_AWAY, 'restarting');
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #bind(): void {
    const server = createServer((_request, response) => {
      response.writeHead(426, { 'content-type': 'application/json', upgrade: 'websocket' });
      response.end(
        JSON.stringify({
          code: 'upgrade_required',
          message: 'This is a WebSocket: connect to /ws.',
        }),
      );
    });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    server.on('error', (cause: NodeJS.ErrnoException) => {
      const address = `${this.#options.host}:${this.#options.port}`;
      this.#notify({ type: 'server.failed', error: bindFailure(cause, address) });
    });
    server.listen(this.#options.port, this.#options.host, () => {
      // A TCP server's address is never a pipe name.
      const { address, port } = server.address() as AddressInfo;
      const host = isIPv6(address) ? `[${address}]` : address;
      this.#notify({ type: 'server.listening', address: `${host}:${port}` });
    });
    this.#server = server;
  }

  #close(): void {
    for (const client of this.#clients.values()) client.close(CLOSE_GOING_AWAY, 'shutting down');
    if (this.#server === undefined) this.#notify({ type: 'server.closed' });
    else this.#server.close(() => this.#notify({ type: 'server.closed' }));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    const decision = checkAccess(request, this.#options.access);
    if (!decision.allowed) return refuse(socket, decision.status, decision.code, decision.message);
    if (url?.pathname !== '/ws') return refuse(socket, 404, 'not_found', 'Connect to /ws.');
    if (this.#clients.size >= MAX_CLIENTS) {
      return refuse(socket, 503, 'too_many_clients', `At most ${MAX_CLIENTS} clients at once.`);
    }
    const requestHost = request.headers.host ?? 'localhost';
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#opened += 1;
      const clientId = `client-${this.#opened}`;
      this.#notify({ type: 'client.opened', clientId });
      const connection = new Connection(webSocket, {
        clientId,
        requestHost,
        wrap: url.searchParams.get('wrap') === '1',
        onFrame: (from, text) => this.#receive(from, text),
        onEvent: (event) => {
          if (event.type === 'client.closed') this.#forget(clientId);
          this.#notify({ type: 'client.reported', clientId, event });
        },
      });
      this.#greet(connection, url.searchParams.get('since'));
    });
  }

  #greet(connection: Connection, sinceText: string | null): void {
    const since =
      sinceText !== null && /^\d{1,16}$/.test(sinceText) ? Number(sinceText) : undefined;
    const hello: HelloFrame = {
      type: 'bridge.hello',
      protocol: 1,
      ...this.#options.hello(connection.requestHost),
      replay: this.#replay.range,
    };
    connection.send(JSON.stringify(hello));
    const entries = this.#replay.after(since);
    for (const entry of entries) connection.send(connection.wrap ? entry.wrapped : entry.frame);
    connection.greeted();
    this.#clients.set(connection.clientId, connection);
    this.#notify({
      type: 'client.reported',
      clientId: connection.clientId,
      event: { type: 'client.replayed', entries: entries.length },
    });
    this.#broadcast({
      type: 'bridge.client_connected',
      clientId: connection.clientId,
      clients: this.#clients.size,
    });
  }

  #forget(clientId: string): void {
    const connection = this.#clients.get(clientId);
    if (connection === undefined) return;
    this.#pending.drop(connection);
    this.#unwatch(connection);
    this.#clients.delete(clientId);
    this.#broadcast({
      type: 'bridge.client_disconnected',
      clientId,
      clients: this.#clients.size,
    });
  }

  #receive(from: Connection, text: string): void {
    if (!from.takeToken()) {
      const message = 'At most 50 requests a second; slow down.';
      return from.send(errorFrame({ code: 'rate_limited', message }, frameId(text)));
    }
    if (Buffer.byteLength(text) > MAX_FRAME_BYTES) {
      const message = 'A frame may have at most 1 MiB.';
      return from.send(errorFrame({ code: 'too_large', message }, frameId(text)));
    }
    const parsed = parseFrame(text);
    switch (parsed.kind) {
      case 'error':
        return from.send(errorFrame(parsed.error, parsed.id));
      case 'prompt':
        return this.#notify({
          type: 'prompt.received',
          requestId: this.#pending.open(from, undefined),
          prompt: parsed.prompt,
        });
      case 'request':
        return this.#request(from, parsed.id, parsed.request);
    }
  }

  #request(from: Connection, id: string | number | undefined, request: ControlRequest): void {
    if (
      request.control === 'echo' ||
      request.control === 'debug.echo' ||
      request.control === 'debug.ping'
    ) {
      const { tag, payload } = request;
      from.send(
        withReplyTo(
          {
            type: 'bridge.echo',
            ts: Date.now(),
            ...(tag !== undefined && { tag }),
            ...(payload !== undefined && { payload }),
          },
          id,
        ),
      );
      return;
    }
    if (request.control === 'convex.token') {
      void this.#answerToken(from, id);
      return;
    }
    if (request.control === 'machines.watch' || request.control === 'machines.unwatch') {
      const watching = request.control === 'machines.watch';
      from.send(withReplyTo({ type: 'bridge.machines_watch', watching }, id));
      this.#unwatch(from);
      if (request.control === 'machines.watch') this.#watch(from, request);
      return;
    }
    this.#notify({
      type: 'request.received',
      request: {
        type: 'control.request',
        requestId: this.#pending.open(from, id),
        clientId: from.clientId,
        request,
      },
    });
  }

  #watch(client: Connection, { ids, detail = 'summary' }: WatchRequest): void {
    const end = this.#options.inspection.watch({
      ids,
      detail,
      sink: {
        send: (frame) => client.send(JSON.stringify(frame)),
        backlog: () => client.backlog,
      },
    });
    this.#watches.set(client, end);
  }

  #unwatch(client: Connection): void {
    this.#watches.get(client)?.();
    this.#watches.delete(client);
  }

  async #answerToken(from: Connection, id: string | number | undefined): Promise<void> {
    try {
      const token = await this.#options.convexToken(from.requestHost);
      from.send(withReplyTo({ type: 'bridge.convex_token', ...token }, id));
    } catch (error) {
      const { message, retryable } = toBridgeError(error);
      from.send(errorFrame({ code: retryable ? 'unavailable' : 'internal', message }, id));
    }
  }

  #broadcast(frame: Broadcast): void {
    const { type, ...fields } = frame;
    const seq = this.#replay.nextSeq();
    const text = JSON.stringify({ type, seq, ts: Date.now(), ...fields });
    this.#replay.push({ seq, frame: text, wrapped: text, isLine: false });
    for (const client of this.#clients.values()) client.send(text);
  }

  #broadcastLine(command: Extract<ServerCommand, { type: 'broadcast.line' }>): void {
    const { runId, threadId, stream, line } = command;
    const seq = this.#replay.nextSeq();
    const wrapped = JSON.stringify({ type: 'codex.line', seq, runId, threadId, stream, line });
    this.#replay.push({ seq, frame: line, wrapped, isLine: true });
    for (const client of this.#clients.values()) client.send(client.wrap ? wrapped : line);
  }
}

type WatchRequest = Extract<ControlRequest, { control: 'machines.watch' }>;

/** What a person can do about an address that cannot be had. */
function bindFailure(cause: NodeJS.ErrnoException, address: string): BridgeError {
  const told = `${address} (OPENAGENTS_BIND)`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new BridgeError('port_taken', told, { cause });
    case 'EACCES':
      return new BridgeError(
        'config_invalid',
        `${told} needs privileges; choose a port above 1023`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new BridgeError('config_invalid', `${told} is no address of this machine`, { cause });
    default:
      return toBridgeError(cause);
  }
}

/** An HTTP answer instead of the upgrade, with a JSON body that says what to do. */
function refuse(socket: Duplex, status: number, code: string, message: string): void {
  const body = JSON.stringify({ code, message });
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
