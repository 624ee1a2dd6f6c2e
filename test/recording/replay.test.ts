import { assign, createActor, setup, SimulatedClock, type AnyStateMachine } from 'xstate';
import { expect, test } from 'vitest';
import { createInspectionFeed } from '../../src/actors/inspection/inspection-feed.ts';
import { createRegistry } from '../../src/actors/registry.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import { createValueRecorder } from '../../src/recording/recorded-value.ts';
import {
  headerLine,
  parseRecording,
  type RecordingLine,
} from '../../src/recording/recording-file.ts';
import { replay } from '../../src/recording/replay.ts';
import { childOf, supervisorInput } from '../support/supervision.ts';

/** Records a root actor at work, and returns the file. */
function recorded(machine: AnyStateMachine, input: unknown) {
  const clock = new SimulatedClock();
  const feed = createInspectionFeed(
    () => registry.entries(),
    () => createValueRecorder({ secret: /token/, holdsSecret: () => false, homeDirectory: '' }),
  );
  const registry = createRegistry({ feed });
  const root = createActor(machine, { id: 'root', clock, input, inspect: registry.inspect });
  root.subscribe({ error: () => {} });
  root.start();
  const lines: RecordingLine[] = [];
  const end = feed.watch({
    detail: 'replay',
    sink: { send: ({ events }) => lines.push(...events), backlog: () => 0 },
  });
  return {
    root,
    clock,
    file: () => {
      end();
      return `${headerLine('0.1.0', 1)}${lines.map((line) => `${JSON.stringify(line)}\n`).join('')}`;
    },
  };
}

const counter = (limit: number) =>
  setup({
    types: { context: {} as { count: number }, events: {} as { type: 'add' } | { type: 'reset' } },
    guards: { isFull: ({ context }) => context.count >= limit },
  }).createMachine({
    id: 'counter',
    context: { count: 0 },
    initial: 'counting',
    states: {
      counting: {
        on: { add: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
        always: { guard: 'isFull', target: 'full' },
        after: { 1000: 'late' },
      },
      full: { on: { reset: { target: 'counting', actions: assign({ count: 0 }) } } },
      late: { type: 'final' },
    },
  });

test('a supervisor whose children crash, restart and are told to end goes the same way again', () => {
  const { root, clock, file } = recorded(
    supervisor,
    supervisorInput(
      [],
      { a: {}, b: { restart: 'transient' }, c: { stubborn: true } },
      { strategy: 'rest_for_one' },
    ),
  );
  childOf(root, 'b').send({ type: 'crash', message: 'b broke' });
  childOf(root, 'c').send({ type: 'finish' });
  clock.increment(500);
  childOf(root, 'a').send({ type: 'crash', message: 'a broke' });
  for (let second = 0; second < 10; second += 1) clock.increment(1_000);
  root.send({ type: 'shutdown' });
  clock.increment(5_000);
  const result = replay(parseRecording(file()), [supervisor]);
  expect(result.steps.filter(({ recorded }) => recorded !== null)).toEqual([]);
  expect(result.steps.map(({ to }) => to)).toEqual(
    expect.arrayContaining([
      'running.regrouping',
      'running.backingOff',
      'running.steady',
      'stopping',
      'stopped (done)',
    ]),
  );
});

test('a machine is taken up in the middle of its life, and its timers are events', () => {
  const { root, clock, file } = recorded(counter(3), undefined);
  root.send({ type: 'add' });
  clock.increment(1_000);
  const { steps, machines } = replay(parseRecording(file()), [counter(3)]);
  expect(machines).toBe(1);
  expect(steps).toMatchObject([
    { event: 'add', to: 'counting', recorded: null },
    {
      event: 'xstate.after.1000.counter.counting',
      from: 'counting',
      to: 'late (done)',
      recorded: null,
    },
  ]);
});

test('a machine that decides otherwise is told once, and goes on from what was recorded', () => {
  const { root, file } = recorded(counter(2), undefined);
  for (const type of ['add', 'add', 'reset', 'add'] as const) root.send({ type });
  const { steps, events } = replay(parseRecording(file()), [counter(5)]);
  expect(steps).toMatchObject([
    { to: 'counting', recorded: null },
    { from: 'counting', to: 'counting', recorded: 'full', line: 6 },
    { from: 'full', to: 'counting', recorded: null },
    { to: 'counting', recorded: null },
  ]);
  expect(events).toContainEqual(
    expect.objectContaining({
      snapshot: expect.objectContaining({ value: 'counting', error: 'Recorded was: full' }),
    }),
  );
});

test('what the recording lacks is counted', () => {
  const { file } = recorded(counter(2), undefined);
  const gap = JSON.stringify({ type: 'gap', at: 5, dropped: 12 });
  expect(replay(parseRecording(`${file()}${gap}\n`), []).missing).toBe(12);
});

test('a file that is no recording is refused with its line; a last line cut off is left out', () => {
  const refused = (text: string) => () => parseRecording(text);
  expect(refused('')).toThrow(expect.objectContaining({ code: 'recording_invalid' }));
  expect(refused('{"format":"something"}\n')).toThrow('line 1');
  expect(refused(`${headerLine('0', 1)}{"type":"gap","at":1,"dropped":2}\nnonsense\n`)).toThrow(
    'line 3',
  );
  const cut = `${headerLine('0', 1)}{"type":"gap","at":1,"dropped":2}\n{"type":"ga`;
  expect(parseRecording(cut).lines).toHaveLength(1);
});
