import { createActor } from 'xstate';
import { expect, test } from 'vitest';
import { definitionOf } from '../../src/actors/inspection/machine-definition.ts';
import { chartOf, firedArrows, shortEvent } from '../../src/inspector/chart-graph.ts';
import { statePaths } from '../../scripts/docs-tables.ts';
import { allMachines } from '../../src/machines/all-machines.ts';
import { convexLink } from '../../src/machines/convex-link.ts';

/** As the page gets it: through JSON. */
function chartFor(machine: (typeof allMachines)[number]) {
  const actor = createActor(machine);
  const chart = chartOf(JSON.parse(JSON.stringify(definitionOf(actor))));
  if (chart === null) throw new Error('no chart');
  return chart;
}

test.each(allMachines.map((machine) => [machine.id, machine] as const))(
  'every state of %s is a box, and every arrow leads from a box to a box',
  (_, machine) => {
    const chart = chartFor(machine);
    const paths = new Set<string>();
    const walk = (state: typeof chart.root): void => {
      paths.add(state.path);
      state.states.forEach(walk);
    };
    walk(chart.root);
    for (const path of statePaths(machine)) expect(paths).toContain(path);
    expect(chart.arrows.length).toBeGreaterThan(0);
    for (const { source, target } of chart.arrows) {
      expect(paths).toContain(source);
      expect(paths).toContain(target);
    }
  },
);

test('the arrow that an event took is found: direct, by pattern, by timer, and through a state left at once', () => {
  const chart = chartFor(convexLink);
  const fired = (before: string[], after: string[], event: string) => [
    ...firedArrows(chart, before, after, event),
  ];
  expect(fired(['online'], ['backingOff'], 'backend.failed')).toEqual(['online→backingOff']);
  expect(
    fired(
      ['backingOff'],
      ['starting', 'starting.spawning'],
      'xstate.after.backoff.convexLink.backingOff',
    ),
  ).toEqual(['backingOff→starting']);
  expect(fired(['online'], ['online'], 'health.tables')).toEqual([]);
});

test("XState's names of events are told in short", () => {
  expect(shortEvent('xstate.done.actor.sync')).toBe('done: sync');
  expect(shortEvent('xstate.error.actor.0.convexLink.starting.probing')).toBe('failed');
  expect(shortEvent('xstate.after.backoff.convexLink.backingOff')).toBe('after backoff');
  expect(shortEvent('process.exited')).toBe('process.exited');
});
