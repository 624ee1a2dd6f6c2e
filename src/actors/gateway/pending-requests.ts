/** Requests that wait for their owner's answer; each is answered exactly once. */
import { randomUUID } from 'node:crypto';
import type { ControlError, ReplyFrame } from '../../control/frames.ts';

export interface Requester {
  send(frame: string): void;
}

/** Owners answer within milliseconds, or after a Convex round trip; past this they are stuck (ms). */
const ANSWER_LIMIT_MS = 15_000;

export class PendingRequests {
  readonly #pending = new Map<string, Pending>();
  /** An answer to a request of the gateway's last life is nobody's, not the next client's. */
  readonly #life = randomUUID();
  #count = 0;

  /** Registers a request and returns the id by which its owner answers. */
  open(requester: Requester, replyTo: string | number | undefined): string {
    this.#count += 1;
    const requestId = `request-${this.#life}-${this.#count}`;
    const timer = setTimeout(() => {
      this.fail(requestId, {
        code: 'unavailable',
        message: 'The bridge did not answer in time; "bridge.status" shows what is wrong.',
      });
    }, ANSWER_LIMIT_MS);
    this.#pending.set(requestId, { requester, replyTo, timer });
    return requestId;
  }

  reply(requestId: string, frame: ReplyFrame): void {
    const pending = this.#take(requestId);
    pending?.requester.send(withReplyTo(frame, pending.replyTo));
  }

  fail(requestId: string, error: ControlError): void {
    const pending = this.#take(requestId);
    pending?.requester.send(errorFrame(error, pending.replyTo));
  }

  /** Forgets what a client that has gone asked for, or everything. */
  drop(requester?: Requester): void {
    for (const [requestId, pending] of this.#pending) {
      if (requester === undefined || pending.requester === requester) this.#take(requestId);
    }
  }

  #take(requestId: string): Pending | undefined {
    const pending = this.#pending.get(requestId);
    clearTimeout(pending?.timer);
    this.#pending.delete(requestId);
    return pending;
  }
}

export function withReplyTo(frame: ReplyFrame, replyTo: string | number | undefined): string {
  return JSON.stringify(replyTo === undefined ? frame : { ...frame, replyTo });
}

export function errorFrame(error: ControlError, replyTo: string | number | undefined): string {
  return JSON.stringify({
    type: 'bridge.error',
    ...(replyTo !== undefined && { replyTo }),
    ...error,
  });
}

interface Pending {
  requester: Requester;
  replyTo: string | number | undefined;
  timer: NodeJS.Timeout;
}
