/** A small client of the control WebSocket, for Node and browsers. */
import { z } from 'zod';
import type { controlRequest } from './requests.ts';

export interface BridgeConnection {
  /** The first frame: who answered. */
  readonly hello: Frame;
  /** Sends a request and resolves with its reply; a `bridge.error` rejects as ControlFailure. */
  request<Verb extends Request['control']>(
    control: Verb,
    fields?: Omit<Extract<Request, { control: Verb }>, 'control' | 'id'>,
  ): Promise<Frame>;
  /**
   * Everything that is no reply: broadcasts, and Codex's lines as they came. What
   * arrived before the first listener, the replay among it, is handed to that one.
   */
  onFrame(listener: (frame: Frame) => void): () => void;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<{ code: number; reason: string }>;
  close(): void;
}

export type Request = z.input<typeof controlRequest>;
export type Frame = z.infer<typeof incoming>;

/** A request that the bridge refused, with the code and message of its `bridge.error`. */
export class ControlFailure extends Error {
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

const incoming = z.looseObject({
  type: z.string().optional(),
  replyTo: z.union([z.string(), z.number()]).optional(),
});

const refusal = z.looseObject({
  code: z.string(),
  message: z.string(),
  jobId: z.string().optional(),
});

/**
 * Connects and waits for the greeting. Lines come wrapped (`codex.line`).
 * Rejects when nobody answers or the token is refused.
 * @param url `ws://host:port/ws`
 */
export async function connectBridge({
  url,
  token,
  since,
}: {
  url: string;
  token: string;
  /** Replay only what came after this sequence number. */
  since?: number;
}): Promise<BridgeConnection> {
  const address = new URL(url);
  address.searchParams.set('token', token);
  address.searchParams.set('wrap', '1');
  if (since !== undefined) address.searchParams.set('since', String(since));
  const socket = new WebSocket(address);
  const waiting = new Map<string | number, PromiseWithResolvers<Frame>>();
  const listeners = new Set<(frame: Frame) => void>();
  let early: Frame[] | undefined = [];
  const greeting = Promise.withResolvers<Frame>();
  const end = Promise.withResolvers<{ code: number; reason: string }>();
  let sent = 0;

  socket.addEventListener('message', ({ data }) => {
    const frame = incoming.parse(JSON.parse(String(data)));
    if (frame.type === 'bridge.hello') greeting.resolve(frame);
    const reply = frame.replyTo === undefined ? undefined : waiting.get(frame.replyTo);
    if (frame.replyTo === undefined || reply === undefined) {
      early?.push(frame);
      if (early !== undefined && early.length > MAX_EARLY) early.shift();
      for (const listener of listeners) listener(frame);
      return;
    }
    waiting.delete(frame.replyTo);
    if (frame.type === 'bridge.error') {
      const { code, message, jobId } = refusal.parse(frame);
      reply.reject(new ControlFailure(code, message, jobId));
    } else reply.resolve(frame);
  });
  socket.addEventListener('close', ({ code, reason }) => {
    const failure = new ControlFailure('closed', `The connection ended (${code} ${reason}).`);
    greeting.reject(failure);
    for (const reply of waiting.values()) reply.reject(failure);
    waiting.clear();
    end.resolve({ code, reason });
  });

  return {
    hello: await greeting.promise,
    request(control, fields) {
      sent += 1;
      const reply = Promise.withResolvers<Frame>();
      if (socket.readyState !== WebSocket.OPEN) {
        reply.reject(new ControlFailure('closed', 'The connection has ended.'));
        return reply.promise;
      }
      waiting.set(sent, reply);
      socket.send(JSON.stringify({ control, id: sent, ...fields }));
      return reply.promise;
    },
    onFrame(listener) {
      listeners.add(listener);
      const missed = early ?? [];
      early = undefined;
      for (const frame of missed) listener(frame);
      return () => listeners.delete(listener);
    },
    closed: end.promise,
    close: () => socket.close(),
  };
}
