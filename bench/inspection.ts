/** What it costs a machine to be seen: bare, by the registry alone, and with somebody who watches. */
import { createActor, setup, type InspectionEvent } from 'xstate';
import { createInspectionFeed } from '../src/actors/inspection/inspection-feed.ts';
import { createRegistry } from '../src/actors/registry.ts';
import { createValueRecorder } from '../src/recording/recorded-value.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

const EVENTS = 20_000;
const ROUNDS = 9;

const lamp = setup({
  types: { events: {} as { type: 'turn'; by: string; lines: string[] } },
}).createMachine({
  id: 'lamp',
  initial: 'on',
  states: { on: { on: { turn: 'off' } }, off: { on: { turn: 'on' } } },
});

export function measure(): Promise<Figures> {
  const times = { bare: [], registry: [], unwatched: [], watched: [], recorded: [] } as Record<
    Kind,
    number[]
  >;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of KINDS) times[kind].push(microseconds(kind));
  }
  const median = (kind: Kind) => percentile(times[kind], 0.5);
  const told = (kind: Kind) =>
    `${median(kind).toFixed(2)} µs, ${(median(kind) / median('bare')).toFixed(2)} × bare`;
  return Promise.resolve({
    'an event, bare': `${median('bare').toFixed(2)} µs`,
    'seen by the registry': told('registry'),
    'with the stream, nobody watching': told('unwatched'),
    'share of that the stream adds': (median('unwatched') / median('registry') - 1).toFixed(3),
    'somebody watching': told('watched'),
    'somebody recording': told('recorded'),
  });
}

const KINDS = ['bare', 'registry', 'unwatched', 'watched', 'recorded'] as const;
type Kind = (typeof KINDS)[number];

function microseconds(kind: Kind): number {
  const feed = createInspectionFeed(
    () => registry.entries(),
    () => createValueRecorder({ secret: /token/, holdsSecret: () => false, homeDirectory: '' }),
  );
  const registry = createRegistry(kind === 'registry' ? {} : { feed });
  const inspect: (event: InspectionEvent) => void = registry.inspect;
  const actor = createActor(lamp, kind === 'bare' ? {} : { inspect }).start();
  const sink = { send: () => undefined, backlog: () => 0 };
  if (kind === 'watched') feed.watch({ detail: 'summary', sink });
  if (kind === 'recorded') feed.watch({ detail: 'replay', sink });
  const event = { type: 'turn' as const, by: 'me', lines: ['one', 'two', 'three'] };
  const start = performance.now();
  for (let n = 0; n < EVENTS; n += 1) actor.send(event);
  return ((performance.now() - start) * 1_000) / EVENTS;
}
