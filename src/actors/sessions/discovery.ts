/**
 * The actor that knows every session file, and decides which one is read next: those
 * that change now before history, and of history the newest first.
 */
import { fromCallback } from 'xstate';
import { toBridgeError } from '../../errors.ts';
import type { DiscoveryCommand, DiscoveryEvent } from '../../machines/sessions-events.ts';
import { regularFile } from './list-directory.ts';
import { Pulse, type PulseTimes } from './pulse.ts';
import { ReadQueue } from './read-queue.ts';
import type { SessionFiles, StoredCursor } from './session-files.ts';
import { SessionTree, type SessionTreeOptions } from './session-tree.ts';

/** Milliseconds. A file that changed within this may well change again: it is live. */
const ACTIVE_WINDOW = 10 * 60_000;
/** Files looked at each second: some 1 ms of work. More than a person has sessions going on. */
const MAX_ACTIVE = 256;
/** Milliseconds until a file whose tail crashed is tried again. */
const CRASH_PAUSE = 5_000;

export interface DiscoveryOptions {
  files: SessionFiles;
  /** How far files were read, page by page. */
  loadCursors: () => AsyncIterable<readonly StoredCursor[]>;
  watch?: SessionTreeOptions['watch'];
  times?: Partial<PulseTimes>;
}

/** Sends `scan.done` or `scan.failed` once, and from then on what is due. */
export function discovery(options: DiscoveryOptions) {
  return fromCallback<DiscoveryCommand, { root: string }>(({ input, sendBack, receive }) => {
    const running = new Discovery(input.root, options, sendBack);
    receive((command) => running.obey(command));
    void running.start();
    return () => running.stop();
  });
}

class Discovery {
  readonly #files: SessionFiles;
  readonly #loadCursors: DiscoveryOptions['loadCursors'];
  readonly #sendBack: (event: DiscoveryEvent) => void;
  readonly #queue = new ReadQueue();
  readonly #tree: SessionTree;
  readonly #pulse: Pulse;
  /** When these files last changed, the one longest ago first. */
  readonly #active = new Map<string, number>();
  readonly #pauses = new Set<NodeJS.Timeout>();
  #isReady = false;
  #isStopped = false;
  #lastEventAt: number | null = null;
  #counting: NodeJS.Immediate | null = null;

  constructor(
    root: string,
    { files, loadCursors, watch, times }: DiscoveryOptions,
    sendBack: (event: DiscoveryEvent) => void,
  ) {
    this.#files = files;
    this.#loadCursors = loadCursors;
    this.#sendBack = sendBack;
    this.#tree = new SessionTree(
      { root, files, ...(watch === undefined ? {} : { watch }) },
      {
        changed: (path) => this.#onChanged(path),
        gone: (path) => this.#onGone(path),
        isFollowed: (path) => this.#queue.isFollowed(path),
      },
    );
    const sweep = () => this.#look(this.#tree.sweep());
    this.#pulse = new Pulse(
      {
        everySecond: () => this.#lookAtActive(),
        everyPoll: () => this.#look(this.#tree.poll()),
        everySweep: sweep,
        afterStall: sweep,
      },
      times,
    );
  }

  async start(): Promise<void> {
    this.#files.clear();
    this.#files.onChange = () => this.#countSoon();
    try {
      for await (const cursors of this.#loadCursors()) this.#files.restore(cursors);
      await this.#tree.sweep();
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    if (this.#isStopped) return;
    this.#isReady = true;
    this.#queueAll();
    this.#queue.addHistory(this.#files.missed().filter((path) => this.#tree.covers(path)));
    this.#pulse.start();
    // The counts first: whether everything is read must not be guessed.
    this.#count();
    this.#send({ type: 'scan.done' });
    this.#pump();
  }

  obey(command: DiscoveryCommand): void {
    const { path } = command;
    switch (command.type) {
      case 'tail.caughtUp': {
        const retired = this.#queue.follow(path);
        if (retired !== null) this.#send({ type: 'file.retired', path: retired });
        // It went while its end was being read, when nobody could be told.
        if (!this.#files.has(path)) this.#queue.addLive(path);
        break;
      }
      case 'tail.failed':
        this.#queue.hold(path);
        break;
      case 'tail.recovered':
        this.#queue.unhold(path);
        this.#files.notice(path);
        break;
      case 'tail.ended':
        this.#afterTail(path, command.reason);
        break;
    }
    if (this.#files.isBehind(path)) this.#queueOne(path);
    this.#pump();
  }

  stop(): void {
    this.#isStopped = true;
    this.#pulse.stop();
    this.#tree.close();
    for (const pause of this.#pauses) clearTimeout(pause);
    if (this.#counting !== null) clearImmediate(this.#counting);
    this.#files.onChange = () => {};
  }

  #onChanged(path: string): void {
    if (!this.#isReady) return;
    this.#lastEventAt = Date.now();
    this.#queueOne(path);
    this.#pump();
  }

  /** Its tail, if it has one, finds out by itself and ends; else one says so to its thread. */
  #onGone(path: string): void {
    this.#active.delete(path);
    if (!this.#queue.isFollowed(path) && !this.#files.isMissed(path)) return;
    this.#queue.addLive(path);
    this.#pump();
  }

  #queueOne(path: string): void {
    if (this.#queue.isFollowed(path) || this.#isActive(path)) {
      this.#keepActive(path);
      this.#queue.addLive(path);
    } else {
      this.#queue.addHistory([path]);
    }
  }

  /** What the first sweep found, the oldest first: the queue takes from the end. */
  #queueAll(): void {
    const changed = new Map(
      this.#files.behind().map((path) => [path, this.#files.facts(path)?.mtimeNs ?? 0n]),
    );
    const byAge = [...changed].sort(([path, at], [otherPath, otherAt]) => {
      if (at === otherAt) return path < otherPath ? -1 : 1;
      return at < otherAt ? -1 : 1;
    });
    for (const [path] of byAge) this.#queueOne(path);
  }

  #pump(): void {
    if (!this.#isReady || this.#isStopped) return;
    for (let next = this.#queue.next(); next !== null; next = this.#queue.next()) {
      this.#send({ type: 'file.due', ...next });
    }
    this.#countSoon();
  }

  #afterTail(path: string, reason: (DiscoveryCommand & { type: 'tail.ended' })['reason']): void {
    this.#queue.drop(path);
    if (reason === 'deleted' && regularFile(path) === null) this.#files.remove(path);
    if (reason !== 'crashed') return;
    this.#queue.hold(path);
    const pause = setTimeout(() => {
      this.#pauses.delete(pause);
      this.obey({ type: 'tail.recovered', path });
    }, CRASH_PAUSE);
    this.#pauses.add(pause);
  }

  #isActive(path: string): boolean {
    const changedAt = Number((this.#files.facts(path)?.mtimeNs ?? 0n) / 1_000_000n);
    return Date.now() - changedAt < ACTIVE_WINDOW;
  }

  #keepActive(path: string): void {
    this.#active.delete(path);
    this.#active.set(path, Date.now());
    const oldest = this.#active.keys().next().value;
    if (this.#active.size > MAX_ACTIVE && oldest !== undefined) this.#active.delete(oldest);
  }

  #lookAtActive(): void {
    this.#look(this.#tree.lookAtRoot());
    const limit = Date.now() - ACTIVE_WINDOW;
    for (const [path, at] of this.#active) {
      if (at < limit) this.#active.delete(path);
      else this.#tree.lookAt(path, false);
    }
  }

  #look(looking: Promise<void>): void {
    looking.then(
      () => this.#countSoon(),
      (thrown: unknown) => this.#fail(thrown),
    );
  }

  #fail(thrown: unknown): void {
    this.#send({ type: 'scan.failed', error: toBridgeError(thrown, 'session_unreadable') });
  }

  #send(event: DiscoveryEvent): void {
    if (!this.#isStopped) this.#sendBack(event);
  }

  /** Once for all changes of one turn of the event loop. */
  #countSoon(): void {
    this.#counting ??= setImmediate(() => {
      this.#counting = null;
      this.#count();
    });
  }

  #count(): void {
    const counts = {
      ...this.#files.counts,
      tailing: this.#queue.tailing,
      reading: this.#queue.reading,
      lastEventAt: this.#lastEventAt,
      degraded: this.#tree.degraded,
    };
    this.#send({ type: 'files.counted', counts });
  }
}
