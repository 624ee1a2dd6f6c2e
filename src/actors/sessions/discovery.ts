/**
 * The actor that knows every session file, and decides which one is read next: those
 * that change now before history, of history what somebody asked for, and then the newest.
 */
import { fromCallback } from 'xstate';
import { toBridgeError } from '../../errors.ts';
import type { ImportJob } from '../../machines/backfill-events.ts';
import type {
  DiscoveryCommand,
  DiscoveryEvent,
  DiscoveryInput,
  TailEvent,
} from '../../machines/sessions-events.ts';
import { otherPlacesOf } from './archive.ts';
import { isWatched } from './asked-path.ts';
import type { Imports } from './imports.ts';
import { isSuperseded, regularFile } from './list-directory.ts';
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
  imports: Imports;
  /** How far files were read, page by page. */
  loadCursors: () => AsyncIterable<readonly StoredCursor[]>;
  watch?: SessionTreeOptions['watch'];
  times?: Partial<PulseTimes>;
}

/** Sends `scan.done` or `scan.failed` once, and from then on what is due. */
export function discovery(options: DiscoveryOptions) {
  return fromCallback<DiscoveryCommand, DiscoveryInput>(({ input, sendBack, receive }) => {
    const running = new Discovery(input, options, sendBack);
    receive((command) => running.obey(command));
    void running.start();
    return () => running.stop();
  });
}

class Discovery {
  readonly #root: string;
  readonly #follows: boolean;
  readonly #files: SessionFiles;
  readonly #imports: Imports;
  #job: ImportJob | null;
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
    { root, follows, job, leavesFound }: DiscoveryInput,
    { files, imports, loadCursors, watch, times }: DiscoveryOptions,
    sendBack: (event: DiscoveryEvent) => void,
  ) {
    this.#root = root;
    this.#follows = follows;
    this.#job = job;
    this.#files = files;
    this.#imports = imports;
    if (leavesFound) imports.leave();
    this.#loadCursors = loadCursors;
    this.#sendBack = sendBack;
    this.#tree = new SessionTree(
      { root, files, follows, ...(watch === undefined ? {} : { watch }) },
      {
        changed: (path) => this.#onChanged(path),
        gone: (path) => this.#onGone(path),
        swept: () => this.#onSwept(),
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

  /** Never rejects: what goes wrong is a scan that failed. */
  async start(): Promise<void> {
    try {
      await this.#scan();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  async #scan(): Promise<void> {
    this.#imports.suspend();
    this.#files.clear((path) => !isWatched(path, this.#root));
    this.#files.onChange = (path) => {
      if (path !== undefined) this.#imports.changed(path);
      this.#countSoon();
    };
    for await (const cursors of this.#loadCursors()) this.#files.restore(cursors);
    await this.#tree.sweep();
    if (this.#isStopped) return;
    this.#isReady = true;
    if (this.#follows) {
      this.#queueAll();
      this.#queueMissed();
      this.#pulse.start();
    }
    if (this.#job !== null) void this.#select(this.#job);
    // The counts first: whether everything is read must not be guessed.
    this.#count();
    this.#send({ type: 'scan.done' });
    this.#pump();
  }

  obey(command: DiscoveryCommand): void {
    switch (command.type) {
      case 'import.begin':
        if (command.job.id === this.#job?.id) return;
        this.#job = command.job;
        if (this.#isReady) void this.#select(command.job);
        return;
      case 'import.end':
        if (command.jobId === this.#job?.id) this.#endImport();
        return;
      case 'import.leave':
        this.#queue.withdraw(this.#imports.leave().filter((left) => !this.#imports.isAsked(left)));
        return this.#countSoon();
      case 'tail.wrote':
        this.#imports.wrote(command.path, command.inserted, command.known);
        return this.#countSoon();
      default:
        this.#obeyTail(command);
    }
  }

  #obeyTail(command: TailEvent | Extract<DiscoveryCommand, { type: 'tail.ended' }>): void {
    const { path } = command;
    switch (command.type) {
      case 'tail.caughtUp': {
        const length = Number(this.#files.facts(path)?.size ?? 0);
        for (const retired of this.#queue.follow(path, length)) {
          this.#send({ type: 'file.retired', path: retired });
        }
        this.#queueUntold(path);
        if (this.#files.has(path)) break;
        // It went while its end was being read, when nobody could be told.
        if (isThere(path)) this.#send({ type: 'file.retired', path });
        else this.#queue.addLive(path);
        break;
      }
      case 'tail.failed':
        this.#queue.hold(path);
        // While Convex does not take it the file is only late.
        if (command.code === 'session_unreadable') this.#imports.failed(path, command.message);
        break;
      case 'tail.recovered':
        this.#queue.unhold(path);
        if (!this.#files.notice(path)) this.#queue.addLive(path);
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

  #onGone(path: string): void {
    this.#active.delete(path);
    // Its tail, if it has one, finds out by itself and ends.
    if (this.#queue.isFollowed(path)) this.#queue.addLive(path);
    // Where Codex may have moved it: whether it was noticed there yet is chance.
    for (const place of otherPlacesOf(path)) {
      if (!this.#files.isGuest(place)) this.#tree.lookAt(place, false);
    }
    this.#queueUntold(path);
    this.#pump();
  }

  /** So that its thread says where its session is. */
  #queueUntold(path: string): void {
    if (!this.#isReady || !this.#follows) return;
    for (const place of this.#files.untold(path)) {
      if (this.#files.notice(place)) this.#queueOne(place);
      else this.#queue.addLive(place);
    }
  }

  /** Sweeps are the truth also of what is gone. */
  #onSwept(): void {
    if (!this.#isReady || !this.#follows) return;
    this.#queueMissed();
    this.#pump();
  }

  #queueMissed(): void {
    this.#queue.addHistory(this.#files.missed().filter((path) => this.#tree.covers(path)));
  }

  #queueOne(path: string): void {
    if (!this.#follows || this.#files.isGuest(path)) {
      if (this.#imports.isAsked(path)) this.#queue.addWanted([path]);
    } else if (this.#queue.isFollowed(path) || this.#isActive(path)) {
      this.#keepActive(path);
      this.#queue.addLive(path);
    } else {
      this.#queue.addHistory([path]);
    }
  }

  /** What the first sweep found, the oldest first: the queue takes from the end. */
  #queueAll(): void {
    const behind = this.#files.byAge(this.#files.behind());
    for (const path of behind) {
      if (!this.#imports.isLeft || this.#isActive(path)) this.#queueOne(path);
    }
    this.#imports.found(behind);
  }

  /** Finds the files of a job, and puts them before all other history. */
  async #select(job: ImportJob): Promise<void> {
    try {
      const paths = await this.#imports.begin(job, this.#root);
      if (paths === null || this.#isStopped) return;
      this.#queue.addWanted(paths);
      this.#pump();
    } catch (thrown) {
      const error = toBridgeError(thrown, 'path_refused');
      if (job === this.#job) this.#send({ type: 'import.refused', jobId: job.id, error });
    }
  }

  /** What the watcher wants by itself keeps its place in the queue. */
  #endImport(): void {
    this.#job = null;
    for (const path of this.#imports.end()) {
      const isGuest = this.#files.isGuest(path);
      if (isGuest || this.#imports.isLeft || !this.#follows) this.#queue.withdraw([path]);
      if (!isGuest) continue;
      if (this.#queue.hasTail(path)) this.#send({ type: 'file.dropped', path });
      this.#files.remove(path);
    }
    this.#countSoon();
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
    if (reason === 'quiet') this.#queueUntold(path);
    if (reason === 'deleted' && this.#files.has(path) && !isThere(path)) {
      this.#files.remove(path);
      this.#onGone(path);
    }
    if (reason !== 'crashed') return;
    this.#imports.failed(path, 'the part that reads it crashed');
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
    const news = this.#imports.news();
    if (news !== null) this.#send(news);
  }
}

function isThere(path: string): boolean {
  return regularFile(path) !== null && !isSuperseded(path);
}
