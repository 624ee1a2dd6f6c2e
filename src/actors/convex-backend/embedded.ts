/** The embedded backend as a child process of the daemon. One actor, one process at a time. */
import { fromCallback, type CallbackActorLogic } from 'xstate';
import type { BackendCommand, BackendEvent } from '../../machines/convex-link-status.ts';
import { BackendProcess, type BackendProcessOptions } from './backend-process.ts';

/** With port 0 a free one is chosen, which is then kept: subscribers come back to the same address. */
export type EmbeddedBackendOptions = Omit<
  BackendProcessOptions,
  'onReady' | 'onComplaint' | 'onRecovery'
>;

export function embeddedBackend(
  options: EmbeddedBackendOptions,
): CallbackActorLogic<BackendCommand> {
  return fromCallback<BackendCommand>(({ sendBack, receive }) => {
    const backend = new EmbeddedBackend(options, sendBack);
    receive(({ type }) => (type === 'backend.start' ? backend.start() : backend.stop()));
    return () => backend.kill();
  });
}

class EmbeddedBackend {
  readonly #options: EmbeddedBackendOptions;
  readonly #send: (event: BackendEvent) => void;
  #port: number;
  #process: BackendProcess | null = null;
  #isWanted = false;

  constructor(options: EmbeddedBackendOptions, send: (event: BackendEvent) => void) {
    this.#options = options;
    this.#send = send;
    this.#port = options.port;
  }

  /** While an earlier process is still ending, it holds the port and the database. */
  start(): void {
    this.#isWanted = true;
    if (this.#process === null) this.#spawn();
  }

  stop(): void {
    this.#isWanted = false;
    if (this.#process === null) this.#send({ type: 'backend.stopped' });
    else this.#process.end();
  }

  /** For an actor that is dropped: nobody waits for the end. SQLite bears it. */
  kill(): void {
    this.#isWanted = false;
    this.#process?.kill();
  }

  #spawn(): void {
    const child = new BackendProcess({
      ...this.#options,
      port: this.#port,
      onReady: (ready) => {
        this.#port = ready.port;
        if (child.isEnding) return;
        this.#send({ type: 'backend.ready', url: ready.url });
      },
      onComplaint: (error) => {
        if (!child.isEnding) this.#send({ type: 'backend.complained', error });
      },
      onRecovery: (code) => {
        if (!child.isEnding) this.#send({ type: 'backend.recovered', code });
      },
    });
    this.#process = child;
    void child.ended.then((error) => {
      this.#process = null;
      if (!child.isEnding) {
        this.#send({ type: 'backend.failed', error });
        return;
      }
      this.#send({ type: 'backend.stopped' });
      if (this.#isWanted) this.#spawn();
    });
  }
}
