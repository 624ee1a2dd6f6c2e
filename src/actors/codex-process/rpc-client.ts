/** Our side of the JSON-RPC with one app-server: requests that we number, and their answers. */
import type { Writable } from 'node:stream';
import type { RpcId, RpcMessage } from '../../codex/app-server/rpc-message.ts';

type Answer = Extract<RpcMessage, { kind: 'result' | 'error' }>;

const ENDED = 'Codex has ended.';

export class RpcClient {
  readonly #stdin: Writable;
  readonly #waiting = new Map<RpcId, PromiseWithResolvers<unknown>>();
  #count = 0;
  #isOver = false;

  constructor(stdin: Writable) {
    this.#stdin = stdin;
  }

  /** Nothing is answered any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Rejects with Codex's own words, or when it has ended. */
  async request(method: string, params: object): Promise<unknown> {
    if (this.#isOver) throw new Error(ENDED);
    this.#count += 1;
    const id = this.#count;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#write({ id, method, params });
    return await answer.promise;
  }

  notify(method: string): void {
    this.#write({ method });
  }

  respond(id: RpcId, result: object): void {
    this.#write({ id, result });
  }

  refuse(id: RpcId, message: string): void {
    // "Method not found", as JSON-RPC numbers it.
    this.#write({ id, error: { code: -32_601, message } });
  }

  answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.kind === 'result') waiting?.resolve(answer.result);
    else waiting?.reject(new Error(answer.message));
  }

  /** Codex ends in order when nobody can say anything to it any more. */
  end(): void {
    this.#stdin.end();
  }

  /** It has ended: nothing is answered any more. */
  abandon(): void {
    this.#isOver = true;
    for (const { reject } of this.#waiting.values()) reject(new Error(ENDED));
    this.#waiting.clear();
  }

  #write(message: object): void {
    if (this.#stdin.writable) this.#stdin.write(`${JSON.stringify(message)}\n`);
  }
}
