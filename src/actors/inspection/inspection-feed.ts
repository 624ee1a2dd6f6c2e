/**
 * The live stream behind `machines.watch`. It is no actor: what it sends would be seen by
 * itself. While nobody watches, an event costs one comparison.
 */
import type { AnyActorRef, EventObject, Snapshot } from 'xstate';
import type { ValueRecorder } from '../../recording/recorded-value.ts';
import type { Registry, RegistryEntry } from '../registry.ts';
import { Watch, type WatchSink } from './watch.ts';

interface WatchOptions {
  /** Only the actors with these ids. */
  ids?: readonly string[] | undefined;
  /** `replay`: whole events as recordings hold them, instead of summaries. */
  detail: 'summary' | 'replay';
  sink: WatchSink;
}

export interface InspectionFeed {
  readonly isWatched: boolean;
  /** Sends what is there now, then what happens. Returns what ends it. */
  watch(options: WatchOptions): () => void;
  /** A source of values that a machine must get again when it is replayed. */
  drawn<Value extends string>(draw: () => Value): () => Value;

  actor(entry: RegistryEntry): void;
  event(entry: RegistryEntry, source: EventSource, event: EventObject): void;
  snapshot(entry: RegistryEntry, snapshot: Snapshot<unknown>, event: EventObject): void;
  /** An exception ended it: there is no snapshot with its event. */
  crash(entry: RegistryEntry, snapshot: Snapshot<unknown>): void;
}

export interface EventSource {
  sessionId: string | null;
  name: string | null;
}

/** `createRecorder`: one for each recording, so that stand-ins of two cannot be compared. */
export function createInspectionFeed(
  present: () => ReturnType<Registry['entries']>,
  createRecorder: () => ValueRecorder,
): InspectionFeed {
  const watches = new Set<Watch>();
  /** The event that each actor is at, for the one whose event ends it. */
  const lastEvents = new WeakMap<AnyActorRef, EventObject>();
  let drawn: string[] = [];

  return {
    get isWatched() {
      return watches.size > 0;
    },
    watch({ ids, detail, sink }) {
      const recorder = detail === 'replay' ? createRecorder() : null;
      const watch = new Watch({ ids: ids && new Set(ids), recorder, present, sink });
      watches.add(watch);
      watch.begin();
      return () => {
        watches.delete(watch);
        watch.end();
      };
    },
    drawn: (draw) => () => {
      const value = draw();
      if (watches.size > 0) drawn.push(value);
      return value;
    },
    actor(entry) {
      for (const watch of watches) watch.actor(entry);
    },
    event(entry, source, event) {
      if (entry.ref) lastEvents.set(entry.ref, event);
      for (const watch of watches) watch.event(entry, source, event);
    },
    snapshot(entry, snapshot, event) {
      for (const watch of watches) watch.snapshot(entry, snapshot, event, drawn);
      drawn = [];
    },
    crash(entry, snapshot) {
      const event = entry.ref && lastEvents.get(entry.ref);
      for (const watch of watches) watch.snapshot(entry, snapshot, event ?? UNKNOWN, drawn);
      drawn = [];
    },
  };
}

const UNKNOWN: EventObject = { type: 'unknown' };
