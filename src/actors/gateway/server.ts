/** The sockets behind the gateway machine: HTTP upgrade, access, frames in, frames out. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { isIPv6, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { fromCallback } from 'xstate';
import { frameId, parseFrame } from '../../control/parse-frame.ts';
import { formatPairingLink } from '../../control/pairing-link.ts';
import type { Broadcast, ConvexTokenFrame, HelloFrame, PairedFrame } from '../../control/frames.ts';
import type { ControlRequest } from '../../control/requests.ts';
import { BridgeError, toBridgeError } from '../../errors.ts';
import type { ServerCommand, ServerEvent } from '../../machines/gateway.ts';
import type { InspectionFeed } from '../inspection/inspection-feed.ts';
import type { AccessPolicy } from './access.ts';
import { Announcements } from './announcements.ts';
import { Connection } from './connection.ts';
import { Door } from './door.ts';
import { Pairings } from './pairings.ts';
import { errorFrame, PendingRequests, withReplyTo } from './pending-requests.ts';
import { ReplayBuffer, type ReplayEntry } from './replay-buffer.ts';
import { textFrame } from './text-frame.ts';
import { UnknownSockets } from './unknown-sockets.ts';

export interface GatewayServerOptions {
  host: string;
  /** 0 picks a free port. */
  port: number;
  access: AccessPolicy;
  /** The address that was had, `host:port`. */
  onListening?(address: string): void;
  /** The greeting without what the server itself knows; `requestHost` is how this client reached us. */
  hello(requestHost: string): Omit<HelloFrame, 'type' | 'protocol' | 'replay'>;
  /** A token for Convex, and where this client reaches it. May reject with a BridgeError. */
  convexToken(requestHost: string): Promise<Omit<ConvexTokenFrame, 'type'>>;
  /** What goes on in the machines. Its frames come here directly: as events they would be seen themselves. */
  inspection: Pick<InspectionFeed, 'watch'>;
  /** Milliseconds between two pings of a client. */
  pingMs?: number;
  /** How other devices reach us. Throws `pairing_unreachable` when none can. */
  pairingAddresses(): { bridgeUrl: string; convexUrl: string }[];
}

/** Frames larger than this are answered `too_large` (bytes). */
const MAX_FRAME_BYTES = 1024 * 1024;
/** ws cuts the connection above this; between the two the client gets an answer (bytes). */
const HARD_FRAME_BYTES = 8 * MAX_FRAME_BYTES;
const MAX_CLIENTS = 64;
/** Application close code for a client that reads too slowly. */
const CLOSE_LAGGING = 4008;
const CLOSE_NORMAL = 1000;
const CLOSE_GOING_AWAY = 1001;
/** Application close code for the sessions of a token that was replaced. */
const CLOSE_TOKEN_ROTATED = 4001;
/** The head of a request comes at once, or somebody holds the door; ms. */
const HEAD_LIMIT_MS = 5_000;
/** Far above what a browser sends for the upgrade (bytes). */
const MAX_HEAD_BYTES = 8 * 1024;
/** Pieces of one message. ws keeps each, however small, until the last has come. */
const MAX_FRAGMENTS = 1_024;
/** Pieces of one fragment as they come from the network: 8 MiB in the smallest usual packets, and some. */
const MAX_CHUNKS = 16 * 1024;
/** An answer to whoever is refused is sent, or given up; ms. */
const REFUSE_LIMIT_MS = 1_000;
/** Looked into for an id when it is refused unread: the rest of a flood is not parsed (characters). */
const MAX_ID_SEARCH = 64 * 1024;

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
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_CHUNKS,
    // Pongs are counted as requests are.
    autoPong: false,
  });
  readonly #clients = new Map<string, Connection>();
  readonly #pending = new PendingRequests();
  /** What ends the watch of each client that watches the machines. */
  readonly #watches = new Map<Connection, () => void>();
  readonly #announcements = new Announcements(() => this.#clients.values());
  readonly #replay = new ReplayBuffer(Date.now());
  readonly #pairings = new Pairings();
  readonly #unknown = new UnknownSockets();
  readonly #door: Door;
  #server: Server | undefined;
  #opened = 0;

  constructor(options: GatewayServerOptions, notify: (event: ServerEvent) => void) {
    this.#options = options;
    this.#notify = notify;
    this.#door = new Door(options.access, this.#pairings);
  }

  handle(command: ServerCommand): void {
    switch (command.type) {
      case 'server.bind':
        return this.#bind();
      case 'server.close':
        return this.#close();
      case 'client.evict':
        return this.#clients.get(command.clientId)?.close(CLOSE_LAGGING, command.reason);
      case 'server.revoke':
        return this.#revoke();
      case 'control.reply':
        return this.#pending.reply(command.requestId, command.frame);
      case 'control.failed':
        return this.#pending.fail(command.requestId, command.error);
      case 'broadcast':
        return this.#broadcast(command.frame);
      case 'broadcast.lines':
        return this.#broadcastLines(command);
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
    const limits = {
      headersTimeout: HEAD_LIMIT_MS,
      requestTimeout: HEAD_LIMIT_MS,
      connectionsCheckingInterval: HEAD_LIMIT_MS / 5,
      maxHeaderSize: MAX_HEAD_BYTES,
    };
    const server = createServer(limits, (_request, response) => {
      response.writeHead(426, {
        'content-type': 'application/json',
        upgrade: 'websocket',
        connection: 'close',
      });
      response.end(
        JSON.stringify({
          code: 'upgrade_required',
          message: 'This is a WebSocket: connect to /ws.',
        }),
      );
    });
    server.on('connection', (socket) => this.#unknown.add(socket));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    server.on('error', (cause: NodeJS.ErrnoException) => {
      const address = `${this.#options.host}:${this.#options.port}`;
      this.#notify({ type: 'server.failed', error: bindFailure(cause, address) });
    });
    server.listen(this.#options.port, this.#options.host, () => {
      // A TCP server's address is never a pipe name.
      const { address, port } = server.address() as AddressInfo;
      const host = isIPv6(address) ? `[${address}]` : address;
      this.#options.onListening?.(`${host}:${port}`);
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
    const admission = this.#door.admit(request);
    if (admission.as === 'nobody') {
      return this.#refuse(socket, admission.status, admission.code, admission.message);
    }
    if (url?.pathname !== '/ws') return this.#refuse(socket, 404, 'not_found', 'Connect to /ws.');
    if (admission.as === 'device') return this.#pair(request, socket, head, admission.pairingId);
    if (this.#clients.size >= MAX_CLIENTS) {
      const message = `At most ${MAX_CLIENTS} clients at once.`;
      return this.#refuse(socket, 503, 'too_many_clients', message);
    }
    this.#unknown.release(socket);
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#opened += 1;
      const clientId = `client-${this.#opened}`;
      this.#notify({ type: 'client.opened', clientId });
      const connection = new Connection({
        socket: webSocket,
        stream: socket,
        clientId,
        requestHost: requestHost(request),
        wrap: url.searchParams.get('wrap') === '1',
        pingMs: this.#options.pingMs,
        beforeSend: () => this.#announcements.flush(),
        onFrame: (from, text) => this.#answer(from, text),
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
    connection.write(entries.map(({ plain, wrapped }) => (connection.wrap ? wrapped : plain)));
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
    this.#pairings.closeOf(clientId);
    this.#clients.delete(clientId);
    this.#broadcast({
      type: 'bridge.client_disconnected',
      clientId,
      clients: this.#clients.size,
    });
  }

  /** Whatever a frame makes us trip over, its sender is told, and nobody else suffers. */
  #answer(from: Connection, text: string): void {
    try {
      this.#receive(from, text);
    } catch (error) {
      from.send(errorFrame({ code: 'internal', message: toBridgeError(error).message }, undefined));
    }
  }

  #receive(from: Connection, text: string): void {
    if (!from.takeToken()) {
      const message = 'At most 50 requests a second; slow down.';
      const id = text.length > MAX_ID_SEARCH ? undefined : frameId(text);
      return from.send(errorFrame({ code: 'rate_limited', message }, id));
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
      // The last frames of the old one come before the answer, the first of the new one behind it.
      this.#unwatch(from);
      from.send(withReplyTo({ type: 'bridge.machines_watch', watching }, id));
      if (request.control === 'machines.watch') this.#watch(from, request);
      return;
    }
    if (request.control === 'pair.open') return this.#openPairing(from, id);
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

  #openPairing(from: Connection, id: string | number | undefined): void {
    try {
      const addresses = this.#options.pairingAddresses();
      const pairing = this.#pairings.open(from.clientId);
      const links = addresses.map((address) => ({
        ...address,
        link: formatPairingLink({ ...address, code: pairing.code }),
      }));
      from.send(withReplyTo({ type: 'bridge.pairing', ...pairing, addresses: links }, id));
    } catch (error) {
      const { message } = toBridgeError(error);
      from.send(errorFrame({ code: 'unavailable', message }, id));
    }
  }

  /** The device gets the token, once, and comes back with it. */
  #pair(request: IncomingMessage, socket: Duplex, head: Buffer, pairingId: string): void {
    const address = request.socket.remoteAddress ?? '';
    const { bridgeId, machineId, convexUrl } = this.#options.hello(requestHost(request));
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      const { token } = this.#options.access;
      const frame: PairedFrame = { type: 'bridge.paired', bridgeId, machineId, token, convexUrl };
      webSocket.send(JSON.stringify(frame));
      webSocket.close(CLOSE_NORMAL);
      this.#broadcast({ type: 'bridge.client_paired', pairingId, address });
    });
  }

  #revoke(): void {
    for (const client of this.#clients.values()) {
      client.close(CLOSE_TOKEN_ROTATED, 'token rotated');
      this.#pairings.closeOf(client.clientId);
    }
  }

  #refuse(socket: Duplex, status: number, code: string, message: string): void {
    this.#notify({ type: 'client.refused' });
    refuse(socket, status, code, message);
  }

  #broadcast(frame: Broadcast): void {
    const { type, ...fields } = frame;
    const seq = this.#replay.nextSeq();
    const told = textFrame(JSON.stringify({ type, seq, ts: Date.now(), ...fields }));
    this.#tellAll({ seq, plain: told, wrapped: told, isLine: false });
  }

  #broadcastLines(command: Extract<ServerCommand, { type: 'broadcast.lines' }>): void {
    const { runId, threadId, stream, lines } = command;
    for (const line of lines) {
      const seq = this.#replay.nextSeq();
      const wrapped = { type: 'codex.line', seq, runId, threadId, stream, line };
      const told = { plain: textFrame(line), wrapped: textFrame(JSON.stringify(wrapped)) };
      this.#tellAll({ seq, ...told, isLine: true });
    }
  }

  #tellAll(entry: ReplayEntry): void {
    this.#replay.push(entry);
    this.#announcements.add(entry);
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
        { cause },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new BridgeError('config_invalid', `${told} is no address of this machine`, { cause });
    default:
      return toBridgeError(cause);
  }
}

/** Under which name this client reached us. */
function requestHost(request: IncomingMessage): string {
  return request.headers.host ?? 'localhost';
}

/** An HTTP answer instead of the upgrade, with a JSON body that says what to do. */
function refuse(socket: Duplex, status: number, code: string, message: string): void {
  // Whoever keeps its half open is cut.
  setTimeout(() => socket.destroy(), REFUSE_LIMIT_MS).unref();
  socket.resume();
  const body = JSON.stringify({ code, message });
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
