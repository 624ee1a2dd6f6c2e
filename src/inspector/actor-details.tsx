import { useEffect, useState } from 'react';
import type { MachineTransition } from '../control/inspect-frames.ts';
import { shortEvent } from './chart-graph.ts';
import type { Feed } from './feed.ts';
import { clock, duration } from './times.ts';
import { shownError, shownState, type ActorView } from './system-view.ts';

/** Of the latest transitions. */
const SHOWN = 30;

export function ActorDetails({
  actor,
  feed,
  until,
}: {
  actor: ActorView | undefined;
  feed: Feed;
  /** Index of the last event that counts; null: all. */
  until: number | null;
}) {
  const now = useNow();
  if (actor === undefined) return <aside className="details pane" aria-label="Details" />;
  const shownAt =
    until === null ? now : (feed.log.entries.find(({ index }) => index === until)?.at ?? now);
  const { lastEvent } = actor;
  const lastError = shownError(actor);
  return (
    <aside className="details pane" aria-label="Details">
      <dl className="facts">
        <Fact label="State">{shownState(actor)}</Fact>
        <Fact label="For">{duration(shownAt - actor.since)}</Fact>
        <Fact label="Last event">
          {lastEvent === null ? '–' : shortEvent(lastEvent.type)}
          {lastEvent?.source != null && <span className="dim"> from {lastEvent.source}</span>}
        </Fact>
        <Fact label="Restarts">{actor.restarts}</Fact>
      </dl>
      {lastError !== null && (
        <p className="problem">
          <span className="hidden">Last error: </span>
          {lastError}
        </p>
      )}
      <h3>Transitions</h3>
      <ol className="transitions">
        {transitionsOf(actor.path, feed, until).map(
          ({ at, from, to, event, status, restarts }, index) => (
            <li key={`${at} ${index}`} className={status === 'error' ? 'error' : ''}>
              <time>{clock(at)}</time>
              <span>
                {from === null ? (restarts > 0 ? `↻ ` : '▸ ') : `${from} → `}
                <strong>{to}</strong>
                {event !== null && <span className="dim"> {shortEvent(event)}</span>}
              </span>
            </li>
          ),
        )}
      </ol>
      <h3>Context</h3>
      <Context value={actor.context} />
    </aside>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Context({ value }: { value: Record<string, unknown> }) {
  const fields = Object.entries(value);
  if (fields.length === 0) return <p className="dim">empty</p>;
  return (
    <dl className="context">
      {fields.map(([key, field]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd className={typeof field}>
            {typeof field === 'object' && field !== null
              ? JSON.stringify(field, null, 1)
              : String(field)}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** What this page saw, and what the daemon remembers of the time that it did not; the newest first. */
function transitionsOf(path: string, feed: Feed, until: number | null): MachineTransition[] {
  const seen = feed.log.entries
    .filter(
      (entry) =>
        entry.path === path && entry.to !== null && (until === null || entry.index <= until),
    )
    .map(({ at, from, to, what, source, kind }): MachineTransition => ({
      at,
      from,
      to: to ?? '',
      status: kind === 'error' ? 'error' : 'active',
      event: what,
      source,
      restarts: from === null && what === 'xstate.init' ? 1 : 0,
    }));
  const told = (feed.history.get(path) ?? [])
    .filter(({ at }) => feed.missed(at))
    .map((transition) => ({
      ...transition,
      from: transition.from === null ? null : spaced(transition.from),
      to: spaced(transition.to),
    }));
  return [...told, ...seen]
    .toSorted((one, other) => one.at - other.at)
    .slice(-SHOWN)
    .toReversed();
}

/** Parallel regions as this page shows them: so that a line can be broken between them. */
function spaced(state: string): string {
  return state.replaceAll(',', ', ');
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
