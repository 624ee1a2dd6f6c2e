import { array, assert, boolean, nat, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSightings, restoreSightings, type Sightings } from '../../src/codex/sightings.ts';
import type { ThreadItem } from '../../src/codex/thread-item.ts';
import { finalItems, fixture, readExec, readRollout } from '../support/codex-files.ts';
import { RowStore } from '../support/row-store.ts';

const RUN = { runId: 'r', startedAt: 1_000 };
/** When what is left is settled. */
const NOW = 9_000;
/** The same interleavings every time. */
const SEED = { seed: 20_261_123, numRuns: 150 };

const PROMPT: ThreadItem = {
  key: 'run/r/prompt',
  kind: 'message',
  role: 'user',
  text: 'as the app wrote it',
  ts: 1_000,
  provisional: true,
  runId: 'r',
};

/** Rows that only the stream ever has, by scenario. */
const STREAM_ONLY: Record<string, string[]> = {
  // A connection that was tried again.
  '0.169.0/err500': ['run/r/error/0'],
  // The child's reasoning; the prompt is the child's too.
  '0.169.0/review': ['run/r/0', 'run/r/prompt'],
};

const SCENARIOS = [
  '0.148.0/cmd',
  '0.150.0/plan',
  '0.169.0/par',
  '0.169.0/patch',
  '0.169.0/fork',
  '0.169.0/err500',
  '0.169.0/review',
  '0.169.0/sigkill',
];

interface Recording {
  stream: ThreadItem[][];
  file: ThreadItem[][];
}

function recording(scenario: string): Recording {
  const file = readRollout(fixture(`${scenario}/rollout.jsonl`));
  const stream = readExec(fixture(`${scenario}/stdout.jsonl`));
  return {
    stream: stream.map(({ items }) => items).filter((items) => items.length > 0),
    file: file.outcomes.map(({ items }) => items).filter((items) => items.length > 0),
  };
}

/** Writes both sides in the order that `choices` gives (true: the stream's next). */
function interleave(
  { stream, file }: Recording,
  choices: readonly boolean[],
  write: { streamed(items: ThreadItem[]): void; filed(items: ThreadItem[]): void },
): void {
  const left = { stream: [...stream], file: [...file] };
  for (const choice of choices) {
    const items = (choice ? left.stream : left.file).shift();
    if (!items) continue;
    if (choice) write.streamed(items);
    else write.filed(items);
  }
  for (const items of left.stream) write.streamed(items);
  for (const items of left.file) write.filed(items);
}

function storeWithPrompt(): RowStore {
  const store = new RowStore();
  store.ingest([PROMPT]);
  return store;
}

function provisionalRows(store: RowStore): ThreadItem[] {
  return store.rows
    .filter(({ fields }) => fields.provisional)
    .map(({ fields: { threadId: _thread, createdAt: _created, updatedAt: _updated, ...item } }) => {
      return item;
    });
}

function expectRowsOfFile(store: RowStore, { file }: Recording, streamOnly: string[] = []): void {
  const expected = finalItems(file.flat());
  const keys = store.rows.map(({ fields }) => fields.key);
  expect(keys.toSorted()).toEqual([...expected.map(({ key }) => key), ...streamOnly].toSorted());
  for (const item of expected.filter(({ partial }) => !partial)) {
    const row = store.row(item.key)?.fields;
    expect(row).toMatchObject({ kind: item.kind, ts: item.ts });
    expect(row?.text).toBe(item.text);
    expect(row?.data?.['status']).toEqual(item.data?.['status']);
  }
}

const choices = array(boolean(), { minLength: 0, maxLength: 60 });

describe.each(SCENARIOS)('%s', (scenario) => {
  const recorded = recording(scenario);
  const streamOnly = STREAM_ONLY[scenario] ?? [];

  test('any interleaving of stream and file ends in the rows of the file, each once', () => {
    assert(
      property(choices, (order) => {
        const store = storeWithPrompt();
        const sightings = createSightings({ ...RUN, startedAt: 0 });
        interleave(recorded, order, {
          streamed: (items) => store.ingest(sightings.streamed(items)),
          filed: (items) => store.ingest(sightings.filed(items)),
        });
        const left = provisionalRows(store).map(({ key }) => key);
        expect(left.toSorted()).toEqual(streamOnly.toSorted());
        store.ingest(sightings.leftover(NOW));
        expect(provisionalRows(store)).toEqual([]);
        expectRowsOfFile(store, recorded, streamOnly);
      }),
      SEED,
    );
  });

  test('a row that a subscriber has seen keeps its id', () => {
    const store = storeWithPrompt();
    const sightings = createSightings({ ...RUN, startedAt: 0 });
    for (const items of recorded.stream) store.ingest(sightings.streamed(items));
    const seen = store.rows.length;
    for (const items of recorded.file) store.ingest(sightings.filed(items));
    const claimed = store.rows.slice(0, seen).filter(({ fields }) => !fields.provisional);
    expect(claimed).toHaveLength(seen - streamOnly.length);
  });

  test('after a crash the rows that are left are matched again', () => {
    assert(
      property(choices, nat(40), (order, crash) => {
        const store = storeWithPrompt();
        let sightings: Sightings = createSightings({ ...RUN, startedAt: 0 });
        let steps = 0;
        const crashed = () => {
          steps += 1;
          if (steps === crash) {
            sightings = restoreSightings({ ...RUN, startedAt: 0 }, provisionalRows(store));
          }
          return steps >= crash;
        };
        interleave(recorded, order, {
          // What Codex printed after the crash nobody saw.
          streamed: (items) => void (crashed() || store.ingest(sightings.streamed(items))),
          filed: (items) => {
            store.ingest(sightings.filed(items));
            crashed();
          },
        });
        store.ingest(sightings.leftover(NOW));
        const expected = finalItems(recorded.file.flat()).map(({ key }) => key);
        const keys = store.rows.map(({ fields }) => fields.key);
        expect(keys.filter((key) => !streamOnly.includes(key)).toSorted()).toEqual(
          expected.toSorted(),
        );
        expect(provisionalRows(store)).toEqual([]);
      }),
      SEED,
    );
  });
});

function message(key: string, text: string, more: Partial<ThreadItem> = {}): ThreadItem {
  return { key, kind: 'message', role: 'assistant', text, ts: 2_000, ...more };
}

function command(key: string, output: string | null, more: Partial<ThreadItem> = {}): ThreadItem {
  const status = output === null ? 'in_progress' : 'completed';
  const item: ThreadItem = {
    key,
    kind: 'cmd',
    text: 'date',
    data: { command: ['date'], status, ...(output === null ? {} : { output }) },
    ts: 2_000,
    ...more,
  };
  return output === null ? { ...item, partial: true } : item;
}

function turn(id: string, ts: number, status = 'in_progress'): ThreadItem {
  const item: ThreadItem = { key: id, kind: 'turn', data: { status }, ts, turnId: id };
  return status === 'in_progress' ? { ...item, partial: true } : item;
}

/** Of the rows of one kind: key and status. */
function statuses(store: RowStore, kind: ThreadItem['kind']): unknown[] {
  return store.rows
    .filter(({ fields }) => fields.kind === kind)
    .map(({ fields }) => [fields.key, fields.data?.['status']]);
}

const streamed = { provisional: true, runId: 'r' };
const inTurn = { turnId: 't' };

test('turns that began before the run, or after its turn ended, are somebody else’s', () => {
  const sightings = createSightings(RUN);
  sightings.streamed([message('run/r/0', 'done', streamed)]);
  const older = [turn('old', 500), message('old/a', 'done', { turnId: 'old' })];
  expect(sightings.filed(older)).toEqual(older);
  const own = sightings.filed([turn('t', 1_500), message('t/a', 'done', inTurn)]);
  expect(own.map(({ claims }) => claims)).toEqual([undefined, 'run/r/0']);
  sightings.streamed([message('run/r/1', 'bye', streamed)]);
  sightings.filed([turn('t', 1_500, 'completed')]);
  const later = [turn('new', 1_900), message('new/a', 'bye', { turnId: 'new' })];
  expect(sightings.filed(later)).toEqual(later);
});

test('what another run has claimed is left alone', () => {
  const sightings = createSightings(RUN);
  sightings.streamed([message('run/r/0', 'done', streamed)]);
  const claimed = message('t/a', 'done', { ...inTurn, claims: 'run/q/0' });
  expect(sightings.filed([claimed])).toEqual([claimed]);
});

test('the same text twice is matched in order', () => {
  const sightings = createSightings(RUN);
  sightings.streamed([message('run/r/0', 'ok', streamed), message('run/r/1', 'ok', streamed)]);
  const filed = sightings.filed([message('t/a', 'ok', inTurn), message('t/b', 'ok', inTurn)]);
  expect(filed.map(({ key, claims }) => [key, claims])).toEqual([
    ['t/a', 'run/r/0'],
    ['t/b', 'run/r/1'],
  ]);
});

test('another text is another item', () => {
  const sightings = createSightings(RUN);
  sightings.streamed([message('run/r/0', 'yes', streamed)]);
  const [filed] = sightings.filed([message('t/a', 'no', inTurn)]);
  expect(filed?.claims).toBeUndefined();
  expect(sightings.leftover(NOW).map(({ key, provisional }) => [key, provisional])).toEqual([
    ['run/r/prompt', undefined],
    ['run/r/0', undefined],
  ]);
});

test('a file that is read again claims what it claimed before', () => {
  const sightings = createSightings(RUN);
  sightings.streamed([message('run/r/0', 'ok', streamed)]);
  const first = sightings.filed([message('t/a', 'ok', inTurn)]);
  sightings.streamed([message('run/r/1', 'ok', streamed)]);
  expect(sightings.filed([message('t/a', 'ok', inTurn)])).toEqual(first);
});

test('the same command twice at once: each row ends with one output, whoever is first', () => {
  const sides: Recording = {
    stream: [
      command('run/r/0', null, streamed),
      command('run/r/1', null, streamed),
      command('run/r/1', 'second, and longer', streamed),
      command('run/r/0', 'first', streamed),
    ].map((item) => [item]),
    file: [
      command('t/a', null, inTurn),
      command('t/b', null, inTurn),
      command('t/b', 'second, and longer', inTurn),
      command('t/a', 'first', inTurn),
    ].map((item) => [item]),
  };
  assert(
    property(array(boolean(), { maxLength: 8 }), (order) => {
      const store = storeWithPrompt();
      const sightings = createSightings(RUN);
      interleave(sides, order, {
        streamed: (items) => store.ingest(sightings.streamed(items)),
        filed: (items) => store.ingest(sightings.filed(items)),
      });
      store.ingest(sightings.leftover(NOW));
      expect(store.rows).toHaveLength(3);
      expect(store.row('t/a')?.fields.data?.['output']).toBe('first');
      expect(store.row('t/b')?.fields.data?.['output']).toBe('second, and longer');
    }),
    { ...SEED, numRuns: 300 },
  );
});

test('a command whose end only the stream saw keeps it', () => {
  const store = storeWithPrompt();
  const sightings = createSightings(RUN);
  store.ingest(sightings.streamed([command('run/r/0', 'done', streamed)]));
  store.ingest(sightings.filed([turn('t', 1_500), command('t/a', null, inTurn)]));
  store.ingest(sightings.leftover(NOW));
  expect(statuses(store, 'cmd')).toEqual([['t/a', 'completed']]);
  expect(statuses(store, 'turn')).toEqual([['t', 'interrupted']]);
});

test('a command that neither side saw end was interrupted', () => {
  const store = storeWithPrompt();
  const sightings = createSightings(RUN);
  store.ingest(sightings.streamed([command('run/r/0', null, streamed)]));
  store.ingest(sightings.filed([command('t/a', null, inTurn)]));
  store.ingest(sightings.leftover(NOW));
  expect(statuses(store, 'cmd')).toEqual([['t/a', 'interrupted']]);
});

test('a call that the stream was too busy to show comes from the file', () => {
  const sightings = createSightings(RUN);
  expect(sightings.filed([command('t/a', null, inTurn)])).toEqual([]);
  expect(sightings.leftover(NOW).at(-1)).toMatchObject({
    key: 't/a',
    data: { status: 'interrupted' },
  });
});

test('a file that is read late still claims the rows that were settled', () => {
  const store = storeWithPrompt();
  const sightings = createSightings(RUN);
  store.ingest(sightings.streamed([message('run/r/0', 'done', streamed)]));
  store.ingest(sightings.leftover(NOW));
  expect(provisionalRows(store)).toEqual([]);
  expect(store.row(PROMPT.key)?.fields.text).toBe(PROMPT.text);
  const prompt = message('t/u', 'as Codex wrote it', { ...inTurn, role: 'user' });
  store.ingest(sightings.filed([turn('t', 1_500), prompt, message('t/a', 'done', inTurn)]));
  expect(store.rows.map(({ fields }) => fields.key)).toEqual(['t/u', 't/a', 't']);
});

test('the end of a turn that the file brings late replaces what was assumed', () => {
  const store = storeWithPrompt();
  const sightings = createSightings(RUN);
  store.ingest(sightings.filed([turn('t', 1_500)]));
  store.ingest(sightings.leftover(NOW));
  expect(statuses(store, 'turn')).toEqual([['t', 'interrupted']]);
  store.ingest(sightings.filed([turn('t', 1_500, 'completed')]));
  expect(statuses(store, 'turn')).toEqual([['t', 'completed']]);
});

test('the prompt of a run that waited over a restart is one row, also when the stream confirms it', () => {
  const store = storeWithPrompt();
  const sightings = restoreSightings(RUN, [PROMPT]);
  const prompt = message('t/u', 'as the app wrote it', { ...inTurn, role: 'user' });
  store.ingest(sightings.streamed([{ ...prompt, claims: PROMPT.key }]));
  store.ingest(sightings.filed([prompt]));
  store.ingest(sightings.leftover(NOW));
  expect(store.rows.map(({ fields }) => fields.key)).toEqual(['t/u']);
});

test('a call that the file brings late, of a run that is over, is shown as interrupted until its end comes', () => {
  const store = storeWithPrompt();
  const sightings = createSightings(RUN);
  store.ingest(sightings.leftover(NOW));
  store.ingest(sightings.filed([turn('t', 1_500), command('t/a', null, inTurn)]));
  expect(statuses(store, 'turn')).toEqual([['t', 'interrupted']]);
  expect(statuses(store, 'cmd')).toEqual([['t/a', 'interrupted']]);
  store.ingest(sightings.filed([command('t/a', 'x', inTurn), turn('t', 1_500, 'completed')]));
  expect(statuses(store, 'turn')).toEqual([['t', 'completed']]);
  expect(statuses(store, 'cmd')).toEqual([['t/a', 'completed']]);
});

test('what begins in the session after the run was settled is somebody else’s, also when its turn has no end', () => {
  const sightings = createSightings(RUN);
  sightings.filed([turn('t', 1_500)]);
  sightings.leftover(NOW);
  const later = [turn('new', NOW + 1), command('new/a', null, { turnId: 'new', ts: NOW + 2 })];
  expect(sightings.filed(later)).toEqual(later);
});
