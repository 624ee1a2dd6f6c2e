import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { shortEvent } from './chart-graph.ts';
import type { LoggedEvent } from './event-log.ts';
import { clock } from './times.ts';

const ROW = 24;

/** What was received, to go back through: a strip over all of it, and a list. */
export function TimeLine(props: {
  entries: readonly LoggedEvent[];
  cursor: number | null;
  onCursor: (index: number | null) => void;
  onStep: (by: number) => void;
  onSelect: (path: string) => void;
  showsAll: boolean;
  onShowsAll: (shows: boolean) => void;
}) {
  const { entries, cursor, onCursor } = props;
  const last = entries.length - 1;
  const at = cursor === null ? last : entries.findLastIndex(({ index }) => index <= cursor);
  return (
    <section className="timeline pane" aria-label="Time line">
      <div className="scrubber">
        <button
          type="button"
          className="icon"
          aria-label="One event back"
          title="One event back ([)"
          onClick={() => props.onStep(-1)}
        >
          ‹
        </button>
        <div className="strip">
          <Strip entries={entries} />
          <input
            type="range"
            aria-label="Point in time"
            aria-valuetext={at < 0 ? 'no events' : clock(entries[at]?.at ?? 0)}
            min={0}
            max={Math.max(0, last)}
            value={Math.max(0, at)}
            onChange={({ target }) => {
              const to = Number(target.value);
              onCursor(to >= last ? null : (entries[to]?.index ?? null));
            }}
          />
        </div>
        <button
          type="button"
          className="icon"
          aria-label="One event on"
          title="One event on (])"
          onClick={() => props.onStep(1)}
        >
          ›
        </button>
        <label className="check">
          <input
            type="checkbox"
            checked={props.showsAll}
            onChange={({ target }) => props.onShowsAll(target.checked)}
          />
          all events <kbd>E</kbd>
        </label>
        <span className="dim count">{entries.length} shown</span>
      </div>
      <EventList
        entries={entries}
        at={at}
        isLive={cursor === null}
        onChoose={(entry, isLast) => {
          onCursor(isLast ? null : entry.index);
          if (entry.path !== '') props.onSelect(entry.path);
        }}
      />
    </section>
  );
}

/** Only the rows in sight are made. */
function EventList({
  entries,
  at,
  isLive,
  onChoose,
}: {
  entries: readonly LoggedEvent[];
  at: number;
  isLive: boolean;
  onChoose: (entry: LoggedEvent, isLast: boolean) => void;
}) {
  const list = useRef<HTMLDivElement>(null);
  const [scroll, setScroll] = useState({ top: 0, height: 200 });
  // Follows the newest, unless the reader scrolled away from it.
  const follows = useRef(true);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    if (isLive && follows.current) element.scrollTop = element.scrollHeight;
  }, [entries.length, isLive]);
  useEffect(() => {
    const element = list.current;
    if (!element || isLive) return;
    const top = at * ROW;
    if (top < element.scrollTop || top + ROW > element.scrollTop + element.clientHeight) {
      element.scrollTop = top - element.clientHeight / 2;
    }
  }, [at, isLive]);

  const first = Math.max(0, Math.floor(scroll.top / ROW) - 5);
  const shown = entries.slice(first, first + Math.ceil(scroll.height / ROW) + 10);
  return (
    <div
      className="events"
      ref={list}
      role="log"
      aria-live="off"
      aria-label="Events"
      tabIndex={0}
      onScroll={({ currentTarget }) => {
        const { scrollTop, clientHeight, scrollHeight } = currentTarget;
        follows.current = scrollTop + clientHeight > scrollHeight - ROW;
        setScroll({ top: scrollTop, height: clientHeight });
      }}
    >
      <div style={{ height: entries.length * ROW, position: 'relative' }}>
        {shown.map((entry, index) => (
          <button
            type="button"
            key={entry.index}
            tabIndex={-1}
            className={`event ${entry.kind} ${first + index === at && !isLive ? 'current' : ''} ${!isLive && first + index > at ? 'later' : ''}`}
            style={{ top: (first + index) * ROW, height: ROW }}
            onClick={() => onChoose(entry, first + index === entries.length - 1)}
          >
            <time>{clock(entry.at)}</time>
            <span className="who" title={entry.name}>
              {entry.name.split('/').at(-1)}
            </span>
            <span className="what">
              {MARKS[entry.kind]} {shortEvent(entry.what)}
            </span>
            <span className="to">
              {entry.to !== null && (
                <>
                  {entry.from !== null && <span className="dim">{entry.from} → </span>}
                  {entry.to}
                </>
              )}
            </span>
            <span className="source dim">
              {entry.source !== null && `from ${entry.source.split('/').at(-1)}`}
            </span>
          </button>
        ))}
      </div>
    </div>
  );
}

const MARKS: Record<LoggedEvent['kind'], string> = {
  event: '·',
  state: '→',
  error: '✕',
  started: '▸',
  restarted: '↻',
  gap: '…',
};

const BINS = 160;

/** How much happened when; what failed or was started again is marked. */
function Strip({ entries }: { entries: readonly LoggedEvent[] }) {
  const bins = Array.from({ length: BINS }, () => ({ count: 0, isError: false, isRestart: false }));
  for (const [at, { kind }] of entries.entries()) {
    // By place, not by time: it lies under a slider over the places.
    const bin = bins[Math.min(BINS - 1, Math.floor((at / Math.max(1, entries.length - 1)) * BINS))];
    if (!bin) continue;
    bin.count += kind === 'event' ? 0.5 : 1;
    bin.isError ||= kind === 'error' || kind === 'gap';
    bin.isRestart ||= kind === 'restarted';
  }
  const most = Math.max(1, ...bins.map(({ count }) => count));
  return (
    <svg viewBox={`0 0 ${BINS} 20`} preserveAspectRatio="none" aria-hidden>
      {bins.map(({ count, isError, isRestart }, at) => {
        const height = count === 0 ? 0 : Math.max(2, (count / most) * 18);
        const kind = isError ? 'error' : isRestart ? 'restarted' : '';
        return (
          <rect key={at} className={kind} x={at} y={20 - height} width={0.8} height={height} />
        );
      })}
    </svg>
  );
}
