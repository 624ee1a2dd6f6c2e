import { useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { shownError, shownState, type ActorView, type SystemView } from './system-view.ts';

interface Row {
  actor: ActorView;
  level: number;
  hasChildren: boolean;
  isOpen: boolean;
}

/** The supervision tree, as a tree of WAI-ARIA: one stop of the tab key, arrows inside. */
export function ActorTree({
  view,
  filter,
  selected,
  onSelect,
}: {
  view: SystemView;
  filter: string;
  selected: string | null;
  onSelect: (path: string) => void;
}) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const tree = useRef<HTMLUListElement>(null);
  const rows = useMemo(() => rowsOf(view, filter, closed), [view, filter, closed]);
  const focusable = rows.some(({ actor }) => actor.path === selected)
    ? selected
    : rows[0]?.actor.path;

  const setOpen = (path: string, isOpen: boolean) => {
    const next = new Set(closed);
    if (isOpen) next.delete(path);
    else next.add(path);
    setClosed(next);
  };
  const elementOf = (path: string | null) =>
    path === null
      ? undefined
      : tree.current?.querySelector<HTMLElement>(`[data-path="${CSS.escape(path)}"]`);
  const goTo = (row: Row | undefined) => {
    if (row === undefined) return;
    onSelect(row.actor.path);
    elementOf(row.actor.path)?.focus();
  };
  // What comes and goes above the selected actor must not push it out of sight.
  const isInSight = useRef(true);
  const place = rows.findIndex(({ actor }) => actor.path === selected);
  useLayoutEffect(() => {
    const row = elementOf(selected);
    const pane = row?.closest('nav');
    if (!isInSight.current || !row || !pane) return;
    const [inner, outer] = [row.getBoundingClientRect(), pane.getBoundingClientRect()];
    if (inner.top < outer.top) pane.scrollTop -= outer.top - inner.top;
    if (inner.bottom > outer.bottom) pane.scrollTop += inner.bottom - outer.bottom;
  }, [selected, place]);
  const onKeyDown = (event: KeyboardEvent) => {
    const at = rows.findIndex(({ actor }) => actor.path === focusable);
    const row = rows[at];
    if (row === undefined) return;
    const moves: Record<string, () => void> = {
      ArrowDown: () => goTo(rows[at + 1]),
      ArrowUp: () => goTo(rows[at - 1]),
      Home: () => goTo(rows[0]),
      End: () => goTo(rows.at(-1)),
      ArrowRight: () =>
        row.hasChildren && !row.isOpen ? setOpen(row.actor.path, true) : goTo(rows[at + 1]),
      ArrowLeft: () =>
        row.hasChildren && row.isOpen
          ? setOpen(row.actor.path, false)
          : goTo(rows.find(({ actor }) => actor.path === row.actor.parentPath)),
      Enter: () => goTo(row),
      ' ': () => goTo(row),
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  };

  return (
    <nav
      className="tree pane"
      aria-label="Actors"
      onScroll={({ currentTarget }) => {
        const row = elementOf(selected)?.getBoundingClientRect();
        const { top, bottom } = currentTarget.getBoundingClientRect();
        isInSight.current = row === undefined || (row.top >= top && row.bottom <= bottom);
      }}
    >
      <ul role="tree" aria-label="Supervision tree" ref={tree} onKeyDown={onKeyDown}>
        {rows.map((row) => (
          <TreeRow
            key={row.actor.path}
            row={row}
            isSelected={row.actor.path === selected}
            isFocusable={row.actor.path === focusable}
            onSelect={() => onSelect(row.actor.path)}
            onToggle={() => setOpen(row.actor.path, !row.isOpen)}
          />
        ))}
      </ul>
      {rows.length === 0 && <p className="empty">No actor fits.</p>}
    </nav>
  );
}

function TreeRow({
  row: { actor, level, hasChildren, isOpen },
  isSelected,
  isFocusable,
  onSelect,
  onToggle,
}: {
  row: Row;
  isSelected: boolean;
  isFocusable: boolean;
  onSelect: () => void;
  onToggle: () => void;
}) {
  const { name, machine, status, restarts } = actor;
  const lastError = shownError(actor);
  const state = shownState(actor);
  const again = `started again ${restarts === 1 ? 'once' : `${restarts} times`}`;
  const told = [
    name,
    `${machine}, ${state}`,
    restarts > 0 ? again : '',
    lastError === null ? '' : `last error: ${lastError}`,
  ];
  return (
    <li
      role="treeitem"
      aria-level={level + 1}
      aria-selected={isSelected}
      aria-label={told.filter((part) => part !== '').join('; ')}
      {...(hasChildren && { 'aria-expanded': isOpen })}
      tabIndex={isFocusable ? 0 : -1}
      data-path={actor.path}
      className={`row ${status}`}
      style={{ paddingLeft: 8 + level * 16 }}
      onClick={onSelect}
    >
      <span
        className="twist"
        aria-hidden
        onClick={(event) => {
          event.stopPropagation();
          onToggle();
        }}
      >
        {hasChildren ? (isOpen ? '▾' : '▸') : ''}
      </span>
      <span className="dot" aria-hidden />
      <span className="name" title={name === machine ? name : `${name} (${machine})`}>
        {shortName(name)}
      </span>
      {restarts > 0 && (
        <span className="mark restarted" title={again}>
          ↻{restarts}
        </span>
      )}
      {lastError !== null && (
        <span className="mark error" title={lastError}>
          !
        </span>
      )}
      <span className="state" key={actor.change?.key ?? 0} data-changed={actor.change !== null}>
        {state}
      </span>
    </li>
  );
}

function rowsOf(view: SystemView, filter: string, closed: ReadonlySet<string>): Row[] {
  const actors = [...view.actors.values()];
  const wanted = filter.trim().toLowerCase();
  const kept = new Set<string>();
  for (const actor of actors) {
    const text = `${actor.name} ${actor.machine} ${shownState(actor)}`.toLowerCase();
    if (!text.includes(wanted)) continue;
    // With those above it, so that it keeps its place.
    for (let path: string | null = actor.path; path !== null;) {
      kept.add(path);
      path = view.actors.get(path)?.parentPath ?? null;
    }
  }
  const children = (parent: string | null) =>
    actors.filter(({ path, parentPath }) => parentPath === parent && kept.has(path));
  const rows = (parent: string | null, level: number): Row[] =>
    children(parent).flatMap((actor) => {
      const hasChildren = children(actor.path).length > 0;
      const isOpen = wanted !== '' || !closed.has(actor.path);
      const below = isOpen ? rows(actor.path, level + 1) : [];
      return [{ actor, level, hasChildren, isOpen }, ...below];
    });
  return rows(null, 0);
}

/** Of a file or a run its last part; the whole is in the title. */
function shortName(name: string): string {
  const last = name.split('/').at(-1) ?? name;
  return last.length > 30 ? `${last.slice(0, 12)}…${last.slice(-14)}` : last;
}
