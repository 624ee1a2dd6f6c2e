import type { RefObject } from 'react';
import type { FeedState } from './feed.ts';
import type { SystemView } from './system-view.ts';
import type { Theme } from './theme.ts';

export function Header(props: {
  state: FeedState;
  view: SystemView;
  isPast: boolean;
  filter: string;
  filterField: RefObject<HTMLInputElement | null>;
  onFilter: (filter: string) => void;
  theme: Theme;
  onTheme: () => void;
  onHelp: () => void;
  onLive: () => void;
}) {
  const { state, view, isPast, filter, filterField, theme } = props;
  const actors = [...view.actors.values()];
  const active = actors.filter(({ status }) => status === 'active').length;
  const restarts = actors.reduce((sum, actor) => sum + actor.restarts, 0);
  const failed = actors.filter(({ status }) => status === 'error').length;
  return (
    <header className="header">
      <h1>
        oa-bridge <span>inspector</span>
      </h1>
      <p className={`pill ${isPast ? 'past' : state.kind}`} role="status">
        {isPast ? 'the past' : TEXTS[state.kind]}
        {state.kind === 'ended' && !isPast && `: ${state.reason}`}
        {state.kind === 'live' && !isPast && <span className="dim"> {state.version}</span>}
      </p>
      {isPast && (
        <button type="button" className="primary" onClick={props.onLive}>
          Back to {state.kind === 'recording' ? 'the end' : 'now'} <kbd>L</kbd>
        </button>
      )}
      <dl className="counts">
        <Count label="actors" value={active} />
        <Count label="restarts" value={restarts} kind="restarted" />
        <Count label="failed" value={failed} kind="error" />
      </dl>
      <label className="filter">
        <span className="hidden">Filter actors and events</span>
        <input
          ref={filterField}
          type="search"
          placeholder="Filter actors and events"
          value={filter}
          onChange={({ target }) => props.onFilter(target.value)}
          spellCheck={false}
        />
        <kbd>/</kbd>
      </label>
      <button
        type="button"
        className="icon"
        onClick={props.onTheme}
        aria-label={theme === 'dark' ? 'Light theme' : 'Dark theme'}
        title={`${theme === 'dark' ? 'Light' : 'Dark'} theme (T)`}
      >
        {theme === 'dark' ? '☀' : '☾'}
      </button>
      <button
        type="button"
        className="icon"
        onClick={props.onHelp}
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
      >
        ?
      </button>
    </header>
  );
}

const TEXTS: Record<FeedState['kind'], string> = {
  connecting: 'connecting',
  live: 'live',
  waiting: 'away, coming back',
  recording: 'recording',
  ended: 'ended',
};

function Count({ label, value, kind = '' }: { label: string; value: number; kind?: string }) {
  return (
    <div className={value > 0 ? kind : ''}>
      <dd>{value}</dd>
      <dt>{label}</dt>
    </div>
  );
}
