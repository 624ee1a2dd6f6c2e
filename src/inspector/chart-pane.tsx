import { useEffect, useMemo, useRef, useState } from 'react';
import { chartOf } from './chart-graph.ts';
import { layoutChart, type ChartLayout } from './chart-layout.ts';
import { StateChart } from './state-chart.tsx';
import { shownState, type ActorView } from './system-view.ts';

/** Zoomed by the wheel with Ctrl or by the buttons; fitted at first. */
const ZOOM_STEP = 1.2;
/** A chart that would be fitted smaller than this is scrolled. */
const SMALLEST_FIT = 0.8;
const MIN_ZOOM = 0.15;
const MAX_ZOOM = 1.6;

export function ChartPane({
  actor,
  definition,
  isAnimated,
  fitCount,
}: {
  actor: ActorView | undefined;
  definition: unknown;
  isAnimated: boolean;
  fitCount: number;
}) {
  const chart = useMemo(() => chartOf(definition), [definition]);
  const [layout, setLayout] = useState<{ chart: unknown; layout: ChartLayout } | null>(null);
  const [zoom, setZoom] = useState(1);
  const pane = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let isCurrent = true;
    if (chart) {
      void layoutChart(chart).then((next) => isCurrent && setLayout({ chart, layout: next }));
    }
    return () => {
      isCurrent = false;
    };
  }, [chart]);

  const shown = layout?.chart === chart ? layout?.layout : undefined;
  useEffect(() => {
    if (!shown || !pane.current) return;
    const { clientWidth, clientHeight } = pane.current;
    const fit = Math.min(
      (clientWidth - 32) / shown.width,
      (clientHeight - 32) / shown.height,
      1.15,
    );
    setZoom(Math.max(fit, SMALLEST_FIT));
  }, [shown, fitCount]);

  // What is active stays in sight.
  const state = actor && shownState(actor);
  useEffect(() => {
    const box = pane.current?.querySelector('.box.inner.active, .box.inner.failed');
    if (!box || !pane.current) return;
    const [inner, outer] = [box.getBoundingClientRect(), pane.current.getBoundingClientRect()];
    // Not `scrollIntoView`: of a narrow window that would scroll the page as well.
    pane.current.scrollBy({
      left: inner.left + inner.width / 2 - outer.left - outer.width / 2,
      top: inner.top + inner.height / 2 - outer.top - outer.height / 2,
      behavior: 'smooth',
    });
  }, [state, shown, zoom]);

  const zoomBy = (factor: number) =>
    setZoom((now) => Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, now * factor)));

  return (
    <section className="chart pane" aria-label="State chart">
      {actor && (
        <div className="title">
          <h2>{actor.name}</h2>
          <span className="dim">{actor.machine}</span>
          <span className={`state ${actor.status}`}>{shownState(actor)}</span>
          <span className="tools">
            <button
              type="button"
              className="icon"
              aria-label="Smaller"
              onClick={() => zoomBy(1 / ZOOM_STEP)}
            >
              −
            </button>
            <button
              type="button"
              className="icon"
              aria-label="Larger"
              onClick={() => zoomBy(ZOOM_STEP)}
            >
              +
            </button>
          </span>
        </div>
      )}
      <div
        className="canvas"
        ref={pane}
        tabIndex={0}
        role="group"
        aria-label="State chart, scrolls"
        onWheel={(event) => event.ctrlKey && zoomBy(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP)}
      >
        {actor && chart && shown && (
          <StateChart
            actor={actor}
            chart={chart}
            layout={shown}
            zoom={zoom}
            isAnimated={isAnimated}
          />
        )}
        {actor && !chart && (
          <p className="empty">
            <strong>{actor.machine}</strong> has no states: it is {actor.status}.
          </p>
        )}
        {!actor && <p className="empty">Choose an actor.</p>}
      </div>
    </section>
  );
}
