import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { ControlFailure } from '../control/connect-bridge.ts';
import { ActorDetails } from './actor-details.tsx';
import { ActorTree } from './actor-tree.tsx';
import { ChartPane } from './chart-pane.tsx';
import { ConnectForm } from './connect-form.tsx';
import { Feed } from './feed.ts';
import { Header } from './header.tsx';
import { Shortcuts } from './shortcuts.tsx';
import { startFrom } from './start-from.ts';
import { TimeLine } from './time-line.tsx';
import { useTheme } from './theme.ts';

export function App() {
  const start = useMemo(startFrom, []);
  const [feed, setFeed] = useState<Feed | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  const connect = async (url: string, token: string) => {
    const next = new Feed();
    try {
      await next.connect(url, token);
      setProblem(null);
      setFeed(next);
    } catch (error) {
      next.close();
      setProblem(problemOf(error, url));
    }
  };
  const show = async () => {
    const response = await fetch('recording.jsonl');
    const next = new Feed();
    next.load(await response.text());
    setFeed(next);
  };
  useEffect(() => {
    if (start.isRecording) void show();
    else if (start.token !== null) void connect(start.bridge, start.token);
  }, []);

  if (feed) return <Inspector feed={feed} />;
  return <ConnectForm bridge={start.bridge} problem={problem} onConnect={connect} />;
}

function problemOf(error: unknown, url: string): string {
  // A browser does not tell a page why it got no connection.
  if (error instanceof ControlFailure && error.code === 'closed')
    return `Nobody answers at ${url}, or the token is not that of the bridge there.`;
  return error instanceof Error ? error.message : String(error);
}

function Inspector({ feed }: { feed: Feed }) {
  useSyncExternalStore(feed.subscribe, () => feed.version);
  const [theme, toggleTheme] = useTheme();
  const [selected, setSelected] = useState<string | null>(null);
  /** Index of the event after which the system is shown; null: now. */
  const [cursor, setCursor] = useState<number | null>(null);
  const [filter, setFilter] = useState('');
  const [showsAll, setShowsAll] = useState(false);
  const [showsHelp, setShowsHelp] = useState(false);
  const [fitCount, setFitCount] = useState(0);
  const filterField = useRef<HTMLInputElement>(null);

  const view = cursor === null ? feed.log.latest : feed.log.viewAt(cursor);
  const path = selected ?? firstOf(view.actors.keys());
  const actor =
    path === null ? undefined : (view.actors.get(path) ?? feed.log.latest.actors.get(path));
  const entries = useMemo(
    () => feed.log.entries.filter((entry) => isShown(entry, filter, showsAll)),
    [feed.version, filter, showsAll],
  );

  const step = (by: number) => {
    const last = entries.length - 1;
    const at = cursor === null ? last : entries.findLastIndex(({ index }) => index <= cursor);
    const next = Math.max(0, at + by);
    setCursor(next > last || (cursor === null && by > 0) ? null : (entries[next]?.index ?? null));
  };

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Escape') {
        setShowsHelp(false);
        filterField.current?.blur();
        return;
      }
      if (target instanceof HTMLInputElement && target.type !== 'range') return;
      const actions: Record<string, () => void> = {
        '/': () => filterField.current?.focus(),
        '?': () => setShowsHelp((shows) => !shows),
        t: toggleTheme,
        l: () => setCursor(null),
        e: () => setShowsAll((shows) => !shows),
        f: () => setFitCount((count) => count + 1),
        '[': () => step(-1),
        ']': () => step(1),
      };
      const action = actions[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });

  return (
    <div className="inspector">
      <Header
        state={feed.state}
        view={view}
        isPast={cursor !== null}
        filter={filter}
        filterField={filterField}
        onFilter={setFilter}
        theme={theme}
        onTheme={toggleTheme}
        onHelp={() => setShowsHelp(true)}
        onLive={() => setCursor(null)}
      />
      <ActorTree view={view} filter={filter} selected={path} onSelect={setSelected} />
      <ChartPane
        actor={actor}
        definition={actor && (view.definitions.get(actor.machine) ?? null)}
        isAnimated={cursor === null}
        fitCount={fitCount}
      />
      <ActorDetails actor={actor} feed={feed} until={cursor} />
      <TimeLine
        entries={entries}
        cursor={cursor}
        onCursor={setCursor}
        onStep={step}
        onSelect={setSelected}
        showsAll={showsAll}
        onShowsAll={setShowsAll}
      />
      {showsHelp && <Shortcuts onClose={() => setShowsHelp(false)} />}
    </div>
  );
}

function isShown(
  entry: { kind: string; name: string; what: string; to: string | null },
  filter: string,
  showsAll: boolean,
): boolean {
  if (!showsAll && entry.kind === 'event') return false;
  const wanted = filter.trim().toLowerCase();
  return wanted === '' || `${entry.name} ${entry.what} ${entry.to}`.toLowerCase().includes(wanted);
}

function firstOf<Value>(values: Iterable<Value>): Value | null {
  for (const value of values) return value;
  return null;
}
