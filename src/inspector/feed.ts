/** Where the events come from: a running daemon, or a recording that the page's own server holds. */
import { connectBridge, type BridgeConnection } from '../control/connect-bridge.ts';
import { inspectEvent, type MachineTransition } from '../control/inspect-frames.ts';
import { EventLog } from './event-log.ts';

export type FeedState =
  | { kind: 'connecting' }
  | { kind: 'live'; version: string }
  | { kind: 'waiting'; reason: string }
  | { kind: 'recording' }
  | { kind: 'ended'; reason: string };

/** Mutable, and read through `subscribe` and `version` (React's external store). */
export class Feed {
  readonly log = new EventLog();
  /** What the daemon remembers of the time before this page, by path. */
  history: ReadonlyMap<string, readonly MachineTransition[]> = new Map();
  state: FeedState = { kind: 'connecting' };
  version = 0;
  readonly #listeners = new Set<() => void>();
  #bridge: BridgeConnection | undefined;
  /** What comes next says how everything is. */
  #isBeginning = true;
  /** Times of which this page saw nothing: before it was there, and while the daemon was away. */
  readonly #unseen: { from: number; to: number }[] = [];

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  async connect(url: string, token: string): Promise<void> {
    const bridge = await connectBridge({ url, token });
    this.#bridge = bridge;
    bridge.onInspect(({ dropped, events }) => {
      const isPresent = dropped > 0 || this.#isBeginning;
      const at = events[0]?.at ?? Date.now();
      const last = this.log.entries.at(-1)?.at;
      if (dropped > 0)
        this.log.pushGap(at, `${dropped} events were left out: this page did not keep up`);
      else if (isPresent && last !== undefined)
        this.log.pushGap(at, 'there was no connection to the daemon');
      if (this.#isBeginning) this.#unseen.push({ from: last ?? -Infinity, to: at });
      this.#isBeginning = false;
      for (const event of events) this.log.push(event, isPresent);
      this.#changed();
    });
    bridge.onChange((change) => {
      if (change.state === 'waiting') this.#enter({ kind: 'waiting', reason: change.reason });
      else void this.#watch(bridge);
    });
    void bridge.closed.then(({ code, reason }) =>
      this.#enter({ kind: 'ended', reason: reason || `code ${code}` }),
    );
    await this.#watch(bridge);
  }

  /** Whether this page has to be told by the history what happened then. */
  missed(at: number): boolean {
    return this.#unseen.some(({ from, to }) => from < at && at < to);
  }

  /** One event a line; the first line says what it is. */
  load(recording: string): void {
    for (const line of recording.split('\n').slice(1)) {
      const { data } = inspectEvent.safeParse(line === '' ? undefined : JSON.parse(line));
      if (data) this.log.push(data);
    }
    this.#enter({ kind: 'recording' });
  }

  close(): void {
    this.#bridge?.close();
  }

  async #watch(bridge: BridgeConnection): Promise<void> {
    this.#isBeginning = true;
    await bridge.request('machines.watch');
    // Asked for second, so that nothing falls between the two; what both tell is shown once.
    const { items } = await bridge.request('machines.history');
    this.history = new Map(items.map(({ path, transitions }) => [path, transitions]));
    this.#enter({ kind: 'live', version: bridge.hello.version });
  }

  #enter(state: FeedState): void {
    this.state = state;
    this.#changed();
  }

  #changed(): void {
    this.version += 1;
    for (const listener of this.#listeners) listener();
  }
}
