/** A small client of the control WebSocket, for Node and browsers. */
import { z } from 'zod';
import { parseEvent, type BridgeEvent, type EventOf, type EventType } from './events.ts';
import { errorFrame, helloFrame, type HelloFrame } from './frames.ts';
import { inspectFrame, type InspectFrame } from './inspect-frames.ts';
import { replies, type Reply } from './replies.ts';
import type { controlRequest, ControlVerb } from './requests.ts';
import { jsonOrUndefined } from './json-or-undefined.ts';

export type { BridgeEvent, EventOf, EventType } from './events.ts';
export type { Reply } from './replies.ts';

export interface ConnectOptions {
  /** `ws://host:port/ws` */
  url: string;
  token: string;
  /** Replay only what came after this sequence number. */
  since?: number;
  /** false: the first end is the end. Otherwise it comes back by itself, until `close`. */
  reconnect?: boolean;
  /** Frames that this version does not understand; a newer daemon may send some. */
  onUnknown?: (frame: unknown) => void;
}

export interface BridgeConnection {
  /** Who answered, when it connected last. */
  readonly hello: HelloFrame;
  /**
   * Sends a request and resolves with the reply of its verb. Rejects with a ControlFailure:
   * the code of a `bridge.error`, or `closed` when the connection ends before the reply, of
   * which nobody knows then whether it was done.
   */
  request<Verb extends ControlVerb>(control: Verb, ...fields: FieldsOf<Verb>): Promise<Reply<Verb>>;
  /**
   * Broadcasts and Codex's lines, each once and in order, also over reconnects. What came
   * before the first listener, the replay among it, is handed to those of its turn.
   */
  onFrame(listener: (event: BridgeEvent) => void): () => void;
  /** As `onFrame`, of one type. */
  on<Type extends EventType>(type: Type, listener: (event: EventOf<Type>) => void): () => void;
  /** What `machines.watch` asked for. The watch ends with the socket: ask again when `onChange` says `connected`. */
  onInspect(listener: (frame: InspectFrame) => void): () => void;
  onChange(listener: (change: ConnectionChange) => void): () => void;
  /** Resolves when it has ended for good: `close`, a rotated token, or `reconnect: false`. */
  readonly closed: Promise<{ code: number; reason: string }>;
  close(): void;
}

export type ConnectionChange =
  | { state: 'waiting'; code: number; reason: string; retryInMs: number }
  /** `missed`: more happened meanwhile than the daemon could replay, or it was restarted. */
  | { state: 'connected'; hello: HelloFrame; missed: boolean };

type RequestOf<Verb> = Extract<z.input<typeof controlRequest>, { control: Verb }>;
/** With an `id` of one's own a `run.submit` can be sent again: the same is the same run, for a day. */
type Fields<Verb> = Omit<RequestOf<Verb>, 'control' | 'id'> & { id?: string };
type FieldsOf<Verb> =
  object extends Fields<Verb> ? [fields?: Fields<Verb>] : [fields: Fields<Verb>];

/**
 * Connects and waits for the greeting. Lines come wrapped (`codex.line`).
 * Rejects when nobody answers or the token is refused.
 */
export async function connectBridge(options: ConnectOptions): Promise<BridgeConnection> {
  const client = new BridgeClient(options);
  await client.open();
  return client;
}

/** A request that the bridge refused, with the code and message of its `bridge.error`. */
export class ControlFailure extends Error {
  /** A ControlErrorCode; `closed` or `unexpected_reply` where none was received. */
  readonly code: string;
  /** With `conflict` of a backfill: the one that goes on. */
  readonly jobId: string | undefined;

  constructor(code: string, message: string, jobId?: string) {
    super(message);
    this.name = 'ControlFailure';
    this.code = code;
    this.jobId = jobId;
  }
}

/** Frames kept for the first listener: the whole replay. A client that never listens must not grow. */
const MAX_EARLY = 4_096;
/** Of silence, after which the daemon is asked whether it is there; and for its answer (ms). */
const SILENCE_MS = 20_000;
/** Waited before coming back, doubled each time (ms); a little less by chance, so that not all come at once. */
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 15_000;
/** The daemon's close code for a token that was replaced: coming back with it is of no use. */
const CLOSE_TOKEN_ROTATED = 4001;

interface Waiting {
  verb: ControlVerb;
  resolve(reply: never): void;
  reject(failure: ControlFailure): void;
}

class BridgeClient implements BridgeConnection {
  readonly #options: ConnectOptions;
  readonly #waiting = new Map<string | number, Waiting>();
  readonly #listeners = new Set<(event: BridgeEvent) => void>();
  readonly #inspectors = new Set<(frame: InspectFrame) => void>();
  readonly #changes = new Set<(change: ConnectionChange) => void>();
  readonly #end = Promise.withResolvers<{ code: number; reason: string }>();
  #early: BridgeEvent[] | undefined = [];
  #socket: WebSocket | undefined;
  #hello: HelloFrame | undefined;
  #last: number | undefined;
  #sent = 0;
  #failures = 0;
  #isOver = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.#last = options.since;
  }

  /** Resolves at the greeting; rejects when the connection ends before. */
  open(): Promise<void> {
    const address = new URL(this.#options.url);
    address.searchParams.set('token', this.#options.token);
    address.searchParams.set('wrap', '1');
    if (this.#last !== undefined) address.searchParams.set('since', String(this.#last));
    const socket = new WebSocket(address);
    this.#socket = socket;
    const greeted = Promise.withResolvers<void>();
    socket.addEventListener('message', ({ data }) => {
      if (socket !== this.#socket) return;
      this.#listenFor(socket);
      this.#receive(String(data), greeted.resolve);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      greeted.reject(
        new ControlFailure('closed', `The connection ended (${`${code} ${reason}`.trimEnd()}).`),
      );
      this.#ended(socket, code, reason);
    });
    return greeted.promise;
  }

  get hello(): HelloFrame {
    if (this.#hello === undefined) throw new ControlFailure('closed', 'Not greeted yet.');
    return this.#hello;
  }

  request<Verb extends ControlVerb>(
    control: Verb,
    ...[fields]: FieldsOf<Verb>
  ): Promise<Reply<Verb>> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      if (socket?.readyState !== WebSocket.OPEN) {
        reject(new ControlFailure('closed', 'There is no connection.'));
        return;
      }
      this.#sent += 1;
      const id = fields?.id ?? this.#sent;
      this.#waiting.set(id, { verb: control, resolve, reject });
      socket.send(JSON.stringify({ control, ...fields, id }));
    });
  }

  onFrame(listener: (event: BridgeEvent) => void): () => void {
    this.#listeners.add(listener);
    // Behind this turn, so that all who listen from the beginning get it.
    queueMicrotask(() => {
      const missed = this.#early ?? [];
      this.#early = undefined;
      for (const event of missed) this.#tell(event);
    });
    return () => this.#listeners.delete(listener);
  }

  on<Type extends EventType>(type: Type, listener: (event: EventOf<Type>) => void): () => void {
    const isOfType = (event: BridgeEvent): event is EventOf<Type> => event.type === type;
    return this.onFrame((event) => {
      if (isOfType(event)) listener(event);
    });
  }

  onInspect(listener: (frame: InspectFrame) => void): () => void {
    this.#inspectors.add(listener);
    return () => this.#inspectors.delete(listener);
  }

  onChange(listener: (change: ConnectionChange) => void): () => void {
    this.#changes.add(listener);
    return () => this.#changes.delete(listener);
  }

  get closed(): Promise<{ code: number; reason: string }> {
    return this.#end.promise;
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) {
      this.#end.resolve({ code: 1000, reason: '' });
    } else socket.close();
  }

  #receive(text: string, greeted: () => void): void {
    const frame = jsonOrUndefined(text);
    const hello = helloFrame.safeParse(frame);
    if (hello.success) {
      this.#greeted(hello.data);
      greeted();
      return;
    }
    const inspected = inspectFrame.safeParse(frame);
    if (inspected.success) {
      for (const listener of this.#inspectors) listener(inspected.data);
      return;
    }
    const event = parseEvent(frame);
    if (event !== undefined) {
      if (event.seq <= (this.#last ?? 0)) return;
      this.#last = event.seq;
      this.#tell(event);
    } else if (!this.#answer(frame)) this.#options.onUnknown?.(frame);
  }

  #greeted(hello: HelloFrame): void {
    const since = this.#last;
    // What it has told last is older than what we know: its clock was set back between two lives.
    const isOther = since !== undefined && hello.replay.to < since;
    if (isOther) this.#last = undefined;
    const missed = since !== undefined && (isOther || hello.replay.from > since + 1);
    this.#hello = hello;
    this.#failures = 0;
    for (const listener of this.#changes) listener({ state: 'connected', hello, missed });
  }

  #tell(event: BridgeEvent): void {
    if (this.#early === undefined) {
      for (const listener of this.#listeners) listener(event);
      return;
    }
    this.#early.push(event);
    if (this.#early.length > MAX_EARLY) this.#early.shift();
  }

  /** False when it is no reply to anything that was asked. */
  #answer(frame: unknown): boolean {
    const { data } = envelope.safeParse(frame);
    const waiting = data === undefined ? undefined : this.#waiting.get(data.replyTo);
    if (data === undefined || waiting === undefined) return false;
    this.#waiting.delete(data.replyTo);
    const refusal = errorFrame.safeParse(frame);
    const reply = replies[waiting.verb].safeParse(frame);
    if (refusal.success) {
      const { code, message, jobId } = refusal.data;
      waiting.reject(new ControlFailure(code, message, jobId));
      // `waiting` was made by `request`, for the reply of this very verb.
    } else if (reply.success) waiting.resolve(reply.data as never);
    else {
      const why = z.prettifyError(reply.error);
      waiting.reject(new ControlFailure('unexpected_reply', `To ${waiting.verb}: ${why}`));
    }
    return true;
  }

  #ended(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    this.#socket = undefined;
    const failure = new ControlFailure(
      'closed',
      `The connection ended (${`${code} ${reason}`.trimEnd()}).`,
    );
    for (const waiting of this.#waiting.values()) waiting.reject(failure);
    this.#waiting.clear();
    const { reconnect = true } = this.#options;
    const wasGreeted = this.#hello !== undefined;
    if (this.#isOver || !reconnect || !wasGreeted || code === CLOSE_TOKEN_ROTATED) {
      this.#isOver = true;
      this.#end.resolve({ code, reason });
      return;
    }
    const longest = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures);
    const retryInMs = longest * (0.5 + Math.random() / 2);
    this.#failures += 1;
    this.#timer = setTimeout(() => {
      // How it fails is told by its end.
      this.open().catch(() => undefined);
    }, retryInMs);
    for (const listener of this.#changes) listener({ state: 'waiting', code, reason, retryInMs });
  }

  /** A network that is gone says nothing: after a silence the daemon is asked, and must answer. */
  #listenFor(socket: WebSocket): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.request('debug.ping').catch(() => undefined);
      this.#timer = setTimeout(() => {
        socket.close();
        // Over a dead network the handshake of closing takes its time.
        this.#ended(socket, 1006, 'silent');
      }, SILENCE_MS);
    }, SILENCE_MS);
  }
}

const envelope = z.object({ replyTo: z.union([z.string(), z.number()]) });
