/** The events that were received, and the picture of the system after any of them. */
import type { InspectEvent } from '../control/inspect-frames.ts';
import { applyEvent, begunAnew, emptyView, shownState, type SystemView } from './system-view.ts';

export interface LoggedEvent {
  /** Rises by one with each event; never used again. */
  index: number;
  at: number;
  path: string;
  name: string;
  kind: 'event' | 'state' | 'error' | 'started' | 'restarted' | 'gap';
  /** The event's type, or what happened. */
  what: string;
  source: string | null;
  from: string | null;
  to: string | null;
  event: InspectEvent | null;
}

/** About an hour of a daemon at work; older ones are forgotten in one go. */
const MAX_EVENTS = 6_000;
const FORGOTTEN_AT_ONCE = 1_500;
/** A picture is kept for every so many events, so that none is far away. */
const CHECKPOINT_EVERY = 200;

export class EventLog {
  #entries: LoggedEvent[] = [];
  /** The picture before the event with this index. */
  #checkpoints = new Map<number, SystemView>();
  #latest: SystemView = emptyView;
  #next = 0;

  get entries(): readonly LoggedEvent[] {
    return this.#entries;
  }

  get latest(): SystemView {
    return this.#latest;
  }

  /** `present`: these only say how it is, as at the beginning and after a gap. */
  push(event: InspectEvent, present = false): void {
    if (this.#next % CHECKPOINT_EVERY === 0) this.#checkpoints.set(this.#next, this.#latest);
    const index = this.#next;
    this.#next += 1;
    const before = this.#latest;
    this.#latest = applyEvent(before, event, index);
    this.#entries.push(logged(index, event, before, this.#latest, present));
    if (this.#entries.length > MAX_EVENTS) this.#forget();
  }

  /** What comes next says how everything is, so the picture begins anew. */
  pushGap(at: number, what: string): void {
    if (this.#next % CHECKPOINT_EVERY === 0) this.#checkpoints.set(this.#next, this.#latest);
    const index = this.#next;
    this.#next += 1;
    this.#latest = begunAnew(this.#latest);
    const entry = { index, at, path: '', name: '', source: null, from: null, to: null };
    this.#entries.push({ ...entry, kind: 'gap', what, event: null });
  }

  /** After the event with this index. */
  viewAt(index: number): SystemView {
    if (index >= this.#next - 1) return this.#latest;
    const first = this.#entries[0]?.index ?? 0;
    let start = Math.floor(index / CHECKPOINT_EVERY) * CHECKPOINT_EVERY;
    while (start > first && !this.#checkpoints.has(start)) start -= CHECKPOINT_EVERY;
    let view = this.#checkpoints.get(start) ?? emptyView;
    for (const entry of this.#entries) {
      if (entry.index < start) continue;
      if (entry.index > index) break;
      view = entry.event === null ? begunAnew(view) : applyEvent(view, entry.event, entry.index);
    }
    return view;
  }

  #forget(): void {
    const kept = this.#entries[FORGOTTEN_AT_ONCE]?.index ?? 0;
    // From a checkpoint on, so that the first that is left can be shown.
    const from = Math.ceil(kept / CHECKPOINT_EVERY) * CHECKPOINT_EVERY;
    this.#entries = this.#entries.filter(({ index }) => index >= from);
    for (const index of this.#checkpoints.keys()) {
      if (index < from) this.#checkpoints.delete(index);
    }
  }
}

function logged(
  index: number,
  event: InspectEvent,
  before: SystemView,
  after: SystemView,
  present: boolean,
): LoggedEvent {
  const path = after.pathOf.get(event.sessionId) ?? before.pathOf.get(event.sessionId) ?? '';
  const [was, is] = [before.actors.get(path), after.actors.get(path)];
  const entry = { index, at: event.at, path, name: is?.name ?? was?.name ?? '', event };
  switch (event.type) {
    case '@xstate.actor': {
      const isRestarted = !present && was !== undefined && event.restarts > was.restarts;
      const kind = present ? 'event' : isRestarted ? 'restarted' : 'started';
      const what = present
        ? 'is there'
        : isRestarted
          ? `started again (${event.restarts})`
          : 'started';
      return { ...entry, kind, what, source: null, from: null, to: null };
    }
    case '@xstate.event': {
      const { source, event: received } = event;
      return { ...entry, kind: 'event', what: received.type, source, from: null, to: null };
    }
    case '@xstate.snapshot': {
      const isChanged = is !== undefined && is.change?.key === index;
      const from = isChanged && was !== undefined && was.value !== null ? shownState(was) : null;
      const to = isChanged ? shownState(is) : null;
      const kind = event.snapshot.status === 'error' ? 'error' : isChanged ? 'state' : 'event';
      // It may have got another one meanwhile.
      const cause = is?.lastEvent;
      const source = cause?.type === event.event.type ? cause.source : null;
      return { ...entry, kind, what: event.event.type, source, from, to };
    }
  }
}
