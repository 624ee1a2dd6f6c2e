/** An official client that puts one entry after the other, several at a time, for as long as it lives. */
import { ConvexClient } from 'convex/browser';
import { anyApi, type ApiFromModules } from 'convex/server';
import type * as ledger from './functions/ledger.ts';

// The type says what the untyped proxy gives for this module.
const api = anyApi as unknown as ApiFromModules<{ ledger: typeof ledger }>;

/** Of mutations that have no answer yet. */
const MAX_WAITING = 4;

export interface WriterState {
  name: string;
  /** Entries 0 to sent - 1 were sent, and 0 to acknowledged - 1 of them answered. */
  sent: number;
  acknowledged: number;
  /** The newest entry that its subscription has shown; -1: none. */
  seen: number;
}

export class Writer {
  readonly state: WriterState;
  readonly #client: ConvexClient;
  readonly #onAcknowledged: () => void;
  readonly #waiting = new Set<Promise<void>>();
  readonly #problems: string[];
  #isStopped = false;

  /** `problems` gets what no client may ever see. */
  constructor(url: string, name: string, problems: string[], onAcknowledged: () => void) {
    this.state = { name, sent: 0, acknowledged: 0, seen: -1 };
    this.#problems = problems;
    this.#onAcknowledged = onAcknowledged;
    this.#client = new ConvexClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
    this.#client.onUpdate(api.ledger.newest, { client: name }, (newest) => {
      if (newest < this.state.seen) problems.push(`${name} saw ${this.state.seen}, then ${newest}`);
      this.state.seen = newest;
    });
    this.#fill();
  }

  /** Sends no more, and waits until all is answered. */
  async finish(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#waiting);
  }

  async close(): Promise<void> {
    this.#isStopped = true;
    await this.#client.close();
  }

  #fill(): void {
    while (!this.#isStopped && this.#waiting.size < MAX_WAITING) {
      const number = this.state.sent++;
      const put = this.#put(number).finally(() => {
        this.#waiting.delete(put);
        this.#fill();
      });
      this.#waiting.add(put);
    }
  }

  async #put(number: number): Promise<void> {
    const { state } = this;
    try {
      const count = await this.#client.mutation(api.ledger.put, { client: state.name, number });
      if (number !== state.acknowledged || count !== number + 1) {
        this.#problems.push(
          `${state.name}: entry ${number} was answered as the ${count}th, after ${state.acknowledged}`,
        );
      }
      state.acknowledged = number + 1;
      this.#onAcknowledged();
    } catch (error) {
      if (!this.#isStopped) this.#problems.push(`${state.name}: entry ${number}: ${String(error)}`);
    }
  }
}
