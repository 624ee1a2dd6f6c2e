/** One watcher's stream: events collected for a moment, sent as a frame, dropped when it does not keep up. */
import type { EventObject, Snapshot } from 'xstate';
import type { InspectEvent, InspectFrame } from '../../control/inspect-frames.ts';
import type { ValueRecorder } from '../../recording/recorded-value.ts';
import { contextSummary, eventSummary } from '../context-summary.ts';
import type { RegistryEntry } from '../registry.ts';
import type { EventSource } from './inspection-feed.ts';
import { definitionOf } from './machine-definition.ts';

/** Where the frames go. */
export interface WatchSink {
  send(frame: InspectFrame): void;
  /** Bytes that it has not taken yet. */
  backlog(): number;
}

export interface WatchSettings {
  ids: ReadonlySet<string> | undefined;
  recorder: ValueRecorder | null;
  present: () => readonly RegistryEntry[];
  sink: WatchSink;
}

/** A frame holds what happened within this time: short for an eye, long for a burst (ms). */
const FRAME_MS = 40;
/** A watcher that has this much unread is sent nothing more until it reads (bytes). */
const MAX_BACKLOG = 512 * 1024;
/** Past this many unsent events they are dropped, and the present is told instead. */
const MAX_EVENTS = 2_000;
/** So are they past this much of whole events (characters of JSON). */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** An error's text may quote anything; its code is in the event that it came with. */
const UNTOLD = 'an error, recorded without its text';

export class Watch {
  readonly #settings: WatchSettings;
  /** Machines whose definition this watcher has. */
  readonly #defined = new Set<string>();
  #events: InspectEvent[] = [];
  #characters = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: WatchSettings) {
    this.#settings = settings;
  }

  /** Tells the present at once, so that a watcher sees something. */
  begin(): void {
    this.#flush();
    this.#tellPresent();
    this.#flush();
  }

  /** What was collected still goes out, if there is room for it. */
  end(): void {
    this.#flush();
    clearTimeout(this.#timer);
    this.#events = [];
  }

  actor(entry: RegistryEntry): void {
    if (this.#isWanted(entry)) this.#add(this.#actorEvent(entry, false));
  }

  event(entry: RegistryEntry, { sessionId, name }: EventSource, event: EventObject): void {
    if (!this.#isWanted(entry)) return;
    this.#add({
      type: '@xstate.event',
      at: Date.now(),
      sessionId: entry.item.sessionId,
      sourceId: sessionId,
      source: name,
      // A recording holds the whole of it with the state that it led to.
      event: this.#settings.recorder ? { type: event.type } : eventSummary(event),
    });
  }

  snapshot(
    entry: RegistryEntry,
    snapshot: Snapshot<unknown>,
    event: EventObject,
    drawn: readonly string[],
  ): void {
    if (!this.#isWanted(entry)) return;
    const { recorder } = this.#settings;
    const replay = recorder &&
      'machine' in snapshot && { event: recorder.encode(event), drawn: [...drawn] };
    if (replay) this.#characters += JSON.stringify(replay.event).length;
    this.#add({
      type: '@xstate.snapshot',
      at: Date.now(),
      sessionId: entry.item.sessionId,
      event: { type: event.type },
      snapshot: {
        status: snapshot.status,
        value: valueOf(snapshot),
        ...(snapshot.status === 'error' && {
          error: recorder ? UNTOLD : errorText(snapshot.error),
        }),
      },
      ...(replay && { replay }),
    });
  }

  #isWanted({ item }: RegistryEntry): boolean {
    return this.#settings.ids?.has(item.id) ?? true;
  }

  #add(event: InspectEvent): void {
    this.#events.push(event);
    if (this.#events.length > MAX_EVENTS || this.#characters > MAX_CHARACTERS) {
      this.#dropped += this.#events.length;
      this.#events = [];
      this.#characters = 0;
    }
    this.#timer ??= setTimeout(() => this.#flush(), FRAME_MS).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { sink } = this.#settings;
    if (sink.backlog() > MAX_BACKLOG) {
      this.#timer = setTimeout(() => this.#flush(), FRAME_MS * 5).unref();
      return;
    }
    if (this.#dropped > 0) {
      // Between the lost events and the present there is nothing to tell.
      this.#dropped += this.#events.length;
      this.#events = [];
      this.#tellPresent();
    }
    if (this.#events.length === 0) return;
    const events = this.#withContexts(this.#events);
    const dropped = this.#dropped;
    this.#events = [];
    this.#characters = 0;
    this.#dropped = 0;
    sink.send({ type: 'bridge.inspect', dropped, events });
  }

  #tellPresent(): void {
    for (const entry of this.#settings.present()) {
      if (this.#isWanted(entry)) this.#events.push(this.#actorEvent(entry, true));
    }
  }

  #actorEvent(entry: RegistryEntry, isPresent: boolean): InspectEvent {
    const { item, path, ref } = entry;
    const { recorder } = this.#settings;
    const isNew = !this.#defined.has(item.machine);
    // An actor that is just being made has none yet; its first one follows.
    const snapshot: Snapshot<unknown> | undefined = isPresent ? ref?.getSnapshot() : undefined;
    const definition = ref && definitionOf(ref);
    if (ref) this.#defined.add(item.machine);
    const start = isPresent && recorder && snapshot && startingPoint(snapshot, recorder);
    return {
      type: '@xstate.actor',
      at: Date.now(),
      rootId: entry.rootId,
      sessionId: item.sessionId,
      parentId: item.parentId,
      name: item.id,
      path,
      machine: item.machine,
      since: item.since,
      restarts: item.restarts,
      lastError: recorder && item.lastError !== null ? UNTOLD : item.lastError,
      snapshot: {
        status: item.status,
        value: snapshot ? valueOf(snapshot) : isPresent ? item.state : null,
        context: recorder ? {} : snapshot ? contextOf(snapshot) : item.context,
      },
      ...(isNew && ref && { definition }),
      ...(start && { start }),
    };
  }

  /** The context of each actor once a frame: as it is now, with its last snapshot. */
  #withContexts(events: readonly InspectEvent[]): InspectEvent[] {
    if (this.#settings.recorder) return [...events];
    const contexts = new Map(
      this.#settings.present().map((entry) => [entry.item.sessionId, entry] as const),
    );
    return events
      .toReversed()
      .map((event) => {
        if (event.type !== '@xstate.snapshot') return event;
        const entry = contexts.get(event.sessionId);
        contexts.delete(event.sessionId);
        if (entry === undefined) return event;
        const context = entry.ref ? contextOf(entry.ref.getSnapshot()) : entry.item.context;
        return { ...event, snapshot: { ...event.snapshot, context } };
      })
      .toReversed();
  }
}

function startingPoint(snapshot: Snapshot<unknown>, recorder: ValueRecorder) {
  if (!('machine' in snapshot && 'context' in snapshot && 'children' in snapshot)) return undefined;
  if (snapshot.status !== 'active') return undefined;
  return {
    value: valueOf(snapshot),
    context: recorder.encode(snapshot.context),
    children: recorder.encode(snapshot.children),
  };
}

function valueOf(snapshot: object): InspectEventValue {
  return 'value' in snapshot && 'machine' in snapshot
    ? (snapshot.value as InspectEventValue)
    : null;
}

/** A state value is names and objects of names. */
type InspectEventValue = Extract<InspectEvent, { type: '@xstate.snapshot' }>['snapshot']['value'];

function contextOf(snapshot: object): ReturnType<typeof contextSummary> {
  return 'context' in snapshot ? contextSummary(snapshot.context) : {};
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
