/**
 * The sessions watcher with its real actors, on real files, between a Convex and a
 * writer that only remember. Jobs are taken as Convex does: a key once, the cursor
 * with the rows.
 */
import { createActor, fromCallback, setup, type ActorRefFrom } from 'xstate';
import { discovery, type DiscoveryOptions } from '../../src/actors/sessions/discovery.ts';
import { FileParser } from '../../src/actors/sessions/line-parser.ts';
import { Imports } from '../../src/actors/sessions/imports.ts';
import { RecentlySetAside } from '../../src/actors/sessions/recently-set-aside.ts';
import { SessionFiles } from '../../src/actors/sessions/session-files.ts';
import { tailReader, type TailReaderOptions } from '../../src/actors/sessions/tail-reader.ts';
import { createRolloutReader } from '../../src/codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION, type RolloutReader } from '../../src/codex/rollout/rollout-reader.ts';
import type { ThreadItem } from '../../src/codex/thread-item.ts';
import type { WatchStatusFrame } from '../../src/control/frames.ts';
import { BridgeError } from '../../src/errors.ts';
import {
  SYSTEM,
  type CursorPlace,
  type FileCursor,
  type GatewayCommand,
  type WriteJob,
  type WriterCommand,
  type WriterReply,
} from '../../src/machines/protocol.ts';
import type { ImportEvent } from '../../src/machines/backfill-events.ts';
import { watchStatus } from '../../src/machines/sessions-status.ts';
import { sessionsWatch } from '../../src/machines/sessions-watch.ts';
import { tail } from '../../src/machines/tail.ts';

/** What Convex would hold; survives restarts of the watcher in a test. */
export class Mirror {
  readonly jobs: WriteJob[] = [];
  readonly cursors = new Map<string, FileCursor>();
  /** Rows in the order of their arrival, by thread. */
  readonly threads = new Map<string, Map<string, ThreadItem>>();
  /** Threads in the order in which they lost their last file. */
  readonly deletions: string[] = [];
  /** While set, jobs are left without an answer. */
  isHolding = false;
  /** Jobs that are left without one all the same. */
  holds: (job: WriteJob) => boolean = () => false;
  /** Items that are refused for what they are. */
  refuses: (item: ThreadItem) => boolean = () => false;

  take(job: WriteJob): WriterReply {
    const { resumeId = '' } = job.thread;
    const rows = this.threads.get(resumeId) ?? new Map<string, ThreadItem>();
    this.threads.set(resumeId, rows);
    const rejected = job.items.filter((item) => this.refuses(item));
    const before = rows.size;
    for (const item of job.items) if (!rejected.includes(item)) rows.set(item.key, item);
    const stored = job.cursor && this.#move(job.cursor, job.after);
    const isLast = job.cursor?.deleted === true && this.places(resumeId).length === 0;
    if (isLast && stored === undefined) this.deletions.push(resumeId);
    const inserted = rows.size - before;
    return {
      type: 'write.done',
      jobId: job.id,
      result: {
        threadDocId: resumeId,
        threadId: resumeId,
        inserted,
        known: job.items.length - inserted - rejected.length,
        claimed: 0,
        rejected: rejected.map(({ key }) => ({ key, reason: 'refused by the test' })),
        ...(stored !== undefined && { stored }),
      },
    };
  }

  /** As Convex does, and answers. */
  #move(cursor: FileCursor, after: CursorPlace | undefined): FileCursor | null | undefined {
    const { path } = cursor;
    const isAt = (place: CursorPlace) => {
      const at = this.cursors.get(place.path);
      return (
        at?.generation === place.generation &&
        at.offset === place.offset &&
        at.tailHash === place.tailHash
      );
    };
    const moves = isAt(cursor) || (after === undefined ? !this.cursors.has(path) : isAt(after));
    if (!moves) return this.cursors.get(path) ?? null;
    // The one moved last stands last.
    this.cursors.delete(path);
    this.cursors.set(path, cursor);
    return undefined;
  }

  /** Where a thread has files; it says that it is at the last one. */
  places(threadId: string): string[] {
    return [...this.cursors.values()]
      .filter(({ resumeId, deleted }) => resumeId === threadId && deleted !== true)
      .map(({ path }) => path);
  }

  /** The texts of a thread's messages, in order. */
  texts(threadId: string): string[] {
    return [...(this.threads.get(threadId)?.values() ?? [])]
      .filter(({ kind }) => kind === 'message')
      .map(({ text }) => text ?? '');
  }

  get rows(): number {
    return [...this.threads.values()].reduce((sum, rows) => sum + rows.size, 0);
  }
}

export interface SessionsHarness {
  readonly mirror: Mirror;
  readonly statuses: WatchStatusFrame[];
  readonly replies: GatewayCommand[];
  /** What the backfill was told. */
  readonly imports: ImportEvent[];
  /** The paths that were due, in the order in which they were taken. */
  readonly due: string[];
  status(): WatchStatusFrame;
  actor: ActorRefFrom<typeof sessionsWatch>;
  /** Resolves as soon as the condition holds; it is looked at after every change. */
  until(condition: () => boolean): Promise<void>;
  settled(): Promise<void>;
  setConvex(online: boolean): void;
  /** The writer forgets what it has in hand, as after a crash, and says that it is there. */
  restartWriter(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HarnessOptions extends Partial<Omit<DiscoveryOptions, 'files'>> {
  root: string;
  mirror?: Mirror;
  online?: boolean;
  enabled?: boolean;
  createReader?: (file: { path: string }) => RolloutReader;
  /** By default everything is parsed here. */
  openParser?: TailReaderOptions['openParser'];
  parserVersion?: number;
  /** Milliseconds until a failed scan is tried again. */
  retryDelay?: number;
}

export function startSessions(options: HarnessOptions): SessionsHarness {
  const { root, mirror = new Mirror() } = options;
  const { createReader = createRolloutReader, parserVersion = PARSER_VERSION } = options;
  const openParser =
    options.openParser ??
    (({ path }: { path: string }) => new FileParser(createReader({ path }), parserVersion));
  const waiting = new Set<() => void>();
  const statuses: WatchStatusFrame[] = [];
  const replies: GatewayCommand[] = [];
  const imports: ImportEvent[] = [];
  const due: string[] = [];
  let online = options.online ?? true;
  const changed = () => {
    for (const check of waiting) check();
  };

  const files = new SessionFiles(parserVersion);
  const setAside = new RecentlySetAside();
  const discoveryOptions: DiscoveryOptions = {
    files,
    imports: new Imports(files, []),
    loadCursors: setAside.learningFrom(
      options.loadCursors ??
        async function* () {
          yield [...mirror.cursors.values()];
        },
    ),
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    ...(options.times === undefined ? {} : { times: options.times }),
  };
  const sessions = sessionsWatch.provide({
    ...(options.retryDelay === undefined ? {} : { delays: { RETRY_DELAY: options.retryDelay } }),
    actors: {
      discovery: discovery(discoveryOptions),
      tail: tail.provide({
        actors: { reader: tailReader({ files, setAside, openParser, parserVersion }) },
      }),
    },
  });

  const writer = fromCallback<WriterCommand>(({ receive, system }) => {
    receive(({ job }) => {
      mirror.jobs.push(job);
      changed();
      if (mirror.isHolding || mirror.holds(job)) return;
      const reply = mirror.take(job);
      // As the real one: the answer comes later, never within the call.
      setImmediate(() => {
        system.get(SYSTEM.sessions)?.send(reply);
        changed();
      });
    });
  });
  const convex = fromCallback<{ type: 'convex.state?' }>(({ receive, system }) => {
    receive(() => system.get(SYSTEM.sessions)?.send(convexState(online)));
  });
  const gateway = fromCallback<GatewayCommand>(({ receive }) => {
    receive((command) => {
      if (command.type !== 'broadcast') replies.push(command);
      else if (command.frame.type === 'bridge.sessions_watch_status') statuses.push(command.frame);
      changed();
    });
  });
  const backfill = fromCallback<ImportEvent>(({ receive }) => {
    receive((event) => {
      imports.push(event);
      changed();
    });
  });
  const tree = setup({ actors: { sessions, writer, convex, gateway, backfill } }).createMachine({
    invoke: [
      { src: 'writer', systemId: SYSTEM.writer },
      { src: 'convex', systemId: SYSTEM.convex },
      { src: 'gateway', systemId: SYSTEM.gateway },
      { src: 'backfill', systemId: SYSTEM.backfill },
      {
        src: 'sessions',
        id: 'sessions',
        systemId: SYSTEM.sessions,
        input: {
          root,
          enabled: options.enabled ?? true,
          now: Date.now,
          setAside: () => setAside.lines,
        },
      },
    ],
  });
  const rootActor = createActor(tree, {
    inspect: (seen) => {
      if (seen.type === '@xstate.event' && seen.event.type === 'file.due')
        due.push(seen.event.path);
    },
  });
  rootActor.start();
  const actor: ActorRefFrom<typeof sessionsWatch> = rootActor.system.get(SYSTEM.sessions);
  actor.subscribe(changed);

  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const status = () => watchStatus(actor.getSnapshot().context);

  return {
    mirror,
    statuses,
    replies,
    imports,
    due,
    status,
    actor,
    until,
    settled: () => until(() => status().state === 'watching.settled'),
    setConvex(isOnline) {
      online = isOnline;
      actor.send(convexState(online));
    },
    restartWriter() {
      mirror.isHolding = false;
      actor.send({ type: 'writer.started' });
    },
    async [Symbol.asyncDispose]() {
      actor.send({ type: 'shutdown' });
      rootActor.stop();
      // Readers close their files when what they are at is done.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function convexState(online: boolean) {
  return online
    ? ({ type: 'convex.online' } as const)
    : ({ type: 'convex.offline', reason: 'taken away by the test' } as const);
}

/** What a writer says that cannot write now. */
export function refusal(
  job: WriteJob,
  code: 'convex_rejected' | 'convex_unavailable',
): WriterReply {
  return { type: 'write.failed', jobId: job.id, error: new BridgeError(code, 'by the test') };
}
