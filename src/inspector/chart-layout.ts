/** Where the boxes and arrows go: laid out by ELK, in a worker of its own. */
import ELK, { type ElkExtendedEdge, type ElkNode } from 'elkjs/lib/elk-api.js';
import type { Chart, ChartArrow, ChartState } from './chart-graph.ts';

export interface ChartLayout {
  width: number;
  height: number;
  /** Outer ones first. */
  boxes: Box[];
  arrows: PlacedArrow[];
  /** Where each state with children begins. */
  starts: { x: number; y: number }[];
  startLines: Point[][];
}

export interface Box {
  state: ChartState;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface PlacedArrow {
  arrow: ChartArrow;
  points: Point[];
  label: { x: number; y: number; width: number; lines: string[] } | null;
}

interface Point {
  x: number;
  y: number;
}

const elk = new ELK({ workerUrl: 'elk-worker.js' });

/** Of the style sheet: 12 px and 10.5 px of a font whose letters are 0.6 em wide. */
const NAME_WIDTH = 7.4;
const LABEL_WIDTH = 6.4;
export const LABEL_LINE = 14;
const HEAD = 30;
const NOTE_LINE = 16;
const START = 9;

const options = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.json.edgeCoords': 'ROOT',
  'elk.json.shapeCoords': 'ROOT',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.spacing.nodeNodeBetweenLayers': '34',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.spacing.nodeNode': '30',
  'elk.spacing.edgeNode': '18',
  'elk.spacing.edgeEdge': '14',
  'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  'elk.layered.nodePlacement.bk.fixedAlignment': 'BALANCED',
};

export async function layoutChart(chart: Chart): Promise<ChartLayout> {
  const laid: ElkNode = await elk.layout<ElkNode>({
    id: 'chart',
    layoutOptions: options,
    children: [boxNode(chart.root)],
    edges: [...chart.arrows.map(edgeOf), ...startEdges(chart.root)],
  });
  const states = new Map<string, ChartState>();
  const collect = (state: ChartState): void => {
    states.set(nodeId(state.path), state);
    state.states.forEach(collect);
  };
  collect(chart.root);
  const layout: ChartLayout = {
    width: laid.width ?? 0,
    height: laid.height ?? 0,
    boxes: [],
    arrows: [],
    starts: [],
    startLines: [],
  };
  const visit = (node: ElkNode): void => {
    const { id, x = 0, y = 0, width = 0, height = 0 } = node;
    const state = states.get(id);
    if (state) layout.boxes.push({ state, x, y, width, height });
    else if (id !== 'chart') layout.starts.push({ x: x + START / 2, y: y + START / 2 });
    for (const edge of node.edges ?? []) addEdge(layout, chart, edge);
    node.children?.forEach(visit);
  };
  visit(laid);
  return layout;
}

function addEdge(layout: ChartLayout, chart: Chart, edge: ElkExtendedEdge): void {
  const points = (edge.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) => [
    startPoint,
    ...bendPoints,
    endPoint,
  ]);
  const arrow = chart.arrows.find(({ id }) => id === edge.id);
  if (!arrow) {
    layout.startLines.push(points);
    return;
  }
  const label = edge.labels?.[0];
  const placed = label && {
    x: label.x ?? 0,
    y: label.y ?? 0,
    width: label.width ?? 0,
    lines: labelLines(arrow),
  };
  layout.arrows.push({ arrow, points, label: placed ?? null });
}

function boxNode(state: ChartState): ElkNode {
  const names = [state.key, ...state.notes].map(({ length }) => length);
  const head = HEAD + state.notes.length * NOTE_LINE;
  const width = Math.max(84, Math.max(...names) * NAME_WIDTH + 34);
  if (state.states.length === 0) {
    return { id: nodeId(state.path), width, height: head + 4 };
  }
  const start = state.initial === null ? [] : [{ id: startId(state), width: START, height: START }];
  return {
    id: nodeId(state.path),
    layoutOptions: {
      'elk.padding': `[top=${head + 14},left=18,bottom=18,right=18]`,
      'elk.nodeSize.constraints': 'MINIMUM_SIZE',
      'elk.nodeSize.minimum': `(${width},${head})`,
    },
    children: [...start, ...state.states.map(boxNode)],
  };
}

function edgeOf(arrow: ChartArrow): ElkExtendedEdge {
  const lines = labelLines(arrow);
  return {
    id: arrow.id,
    sources: [nodeId(arrow.source)],
    targets: [nodeId(arrow.target)],
    labels: [
      {
        text: lines.join('\n'),
        width: Math.max(...lines.map(({ length }) => length)) * LABEL_WIDTH + 12,
        height: lines.length * LABEL_LINE + 4,
        layoutOptions: { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' },
      },
    ],
  };
}

/** More than these would hide the chart; the title of the label has them all. */
const MAX_LINES = 3;

function labelLines({ events }: ChartArrow): string[] {
  const all = [
    ...new Set(events.map(({ label, guard }) => (guard === null ? label : `${label} [${guard}]`))),
  ];
  const lines =
    all.length <= MAX_LINES
      ? all
      : [...all.slice(0, MAX_LINES - 1), `+ ${all.length - MAX_LINES + 1} more`];
  return lines.map((line) => (line.length > 34 ? `${line.slice(0, 33)}…` : line));
}

function startEdges(state: ChartState): ElkExtendedEdge[] {
  const own =
    state.initial === null
      ? []
      : [
          {
            id: `${startId(state)}!`,
            sources: [startId(state)],
            targets: [nodeId(state.path === '' ? state.initial : `${state.path}.${state.initial}`)],
          },
        ];
  return [...own, ...state.states.flatMap(startEdges)];
}

function nodeId(path: string): string {
  return `state:${path}`;
}

function startId({ path }: ChartState): string {
  return `start:${path}`;
}
