import { useMemo } from 'react';
import { firedArrows, type Chart } from './chart-graph.ts';
import { LABEL_LINE, type Box, type ChartLayout, type PlacedArrow } from './chart-layout.ts';
import { activePaths, shownState, type ActorView } from './system-view.ts';

export function StateChart({
  actor,
  chart,
  layout,
  zoom,
  isAnimated,
}: {
  actor: ActorView;
  chart: Chart;
  layout: ChartLayout;
  zoom: number;
  isAnimated: boolean;
}) {
  const { value, change } = actor;
  const active = useMemo(() => new Set(activePaths(value)), [value]);
  const fired = useMemo(
    () =>
      change === null
        ? new Set<string>()
        : firedArrows(chart, activePaths(change.before), [...active], change.event),
    [chart, change, active],
  );
  return (
    <svg
      className="statechart"
      role="img"
      aria-label={`${actor.machine}: ${shownState(actor)}`}
      data-active={[...active].join(' ')}
      width={layout.width * zoom}
      height={layout.height * zoom}
      viewBox={`0 0 ${layout.width} ${layout.height}`}
    >
      <defs>
        {['', 'fired'].map((kind) => (
          <marker
            key={kind}
            id={`head${kind}`}
            className={`head ${kind}`}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto"
          >
            <path d="M0 0.5 L8 4 L0 7.5 z" />
          </marker>
        ))}
      </defs>
      {layout.boxes.map((box) => (
        <StateBox
          key={box.state.path}
          box={box}
          isActive={box.state.path === '' ? actor.status === 'active' : active.has(box.state.path)}
          isFailed={actor.status === 'error' && active.has(box.state.path)}
        />
      ))}
      {layout.starts.map(({ x, y }) => (
        <circle key={`${x},${y}`} className="start" cx={x} cy={y} r={4.5} />
      ))}
      {layout.startLines.map((points) => (
        <path
          key={lineOf(points)}
          className="arrow start"
          d={lineOf(points)}
          markerEnd="url(#head)"
        />
      ))}
      {layout.arrows.map((placed) => (
        <Arrow
          // A new element for each transition, so that its animation begins anew.
          key={`${placed.arrow.id} ${fired.has(placed.arrow.id) ? change?.key : ''}`}
          placed={placed}
          isFired={fired.has(placed.arrow.id)}
          isAnimated={isAnimated}
        />
      ))}
    </svg>
  );
}

function StateBox({
  box: { state, x, y, width, height },
  isActive,
  isFailed,
}: {
  box: Box;
  isActive: boolean;
  isFailed: boolean;
}) {
  const isOuter = state.states.length > 0;
  const kind = `${isOuter ? 'outer' : 'inner'} ${state.path === '' ? 'machine' : ''} ${state.type}`;
  const classes = `box ${kind} ${isActive ? 'active' : ''} ${isFailed ? 'failed' : ''}`;
  return (
    <g className={classes} data-state={state.path}>
      <rect x={x} y={y} width={width} height={height} rx={8} />
      {state.type === 'final' && (
        <rect className="final" x={x + 3} y={y + 3} width={width - 6} height={height - 6} rx={6} />
      )}
      <text
        className="key"
        x={isOuter ? x + 14 : x + width / 2}
        y={y + 21}
        textAnchor={isOuter ? 'start' : 'middle'}
      >
        {state.key}
      </text>
      {state.notes.map((note, line) => (
        <text
          key={note}
          className="note"
          x={isOuter ? x + 14 : x + width / 2}
          y={y + 38 + line * 16}
          textAnchor={isOuter ? 'start' : 'middle'}
        >
          {note}
        </text>
      ))}
    </g>
  );
}

function Arrow({
  placed: { arrow, points, label },
  isFired,
  isAnimated,
}: {
  placed: PlacedArrow;
  isFired: boolean;
  isAnimated: boolean;
}) {
  const d = lineOf(points);
  const kind = isFired ? 'fired' : '';
  const title = arrow.events.map(({ label, guard }) =>
    guard === null ? label : `${label} [${guard}]`,
  );
  return (
    <g
      className={`transition ${kind} ${isFired && isAnimated ? 'moving' : ''}`}
      data-arrow={arrow.id}
    >
      <title>{`${arrow.source || 'anywhere'} → ${arrow.target}\n${title.join('\n')}`}</title>
      <path className="arrow" d={d} markerEnd={`url(#head${kind})`} />
      {isFired && isAnimated && <path className="pulse" d={d} pathLength={1} />}
      {label && (
        <>
          <rect
            className="label"
            x={label.x}
            y={label.y}
            width={label.width}
            height={label.lines.length * LABEL_LINE + 4}
            rx={4}
          />
          {label.lines.map((line, index) => (
            <text
              key={line}
              className="label"
              x={label.x + label.width / 2}
              y={label.y + 13 + index * LABEL_LINE}
              textAnchor="middle"
            >
              {line}
            </text>
          ))}
        </>
      )}
    </g>
  );
}

/** Right angles with a little curve. */
function lineOf(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let d = `M${first.x} ${first.y}`;
  for (const [index, point] of rest.entries()) {
    const next = rest[index + 1];
    const before = index === 0 ? first : rest[index - 1];
    if (next === undefined || before === undefined) {
      d += ` L${point.x} ${point.y}`;
      continue;
    }
    const [a, b] = [towards(point, before), towards(point, next)];
    d += ` L${a.x} ${a.y} Q${point.x} ${point.y} ${b.x} ${b.y}`;
  }
  return d;
}

const CURVE = 6;

function towards(from: { x: number; y: number }, to: { x: number; y: number }) {
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  const share = distance === 0 ? 0 : Math.min(CURVE, distance / 2) / distance;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}
