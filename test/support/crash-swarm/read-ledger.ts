/** What a crash has left on disk, read without the backend. */
import { collect, read, scanOf } from '../../embedded-convex/support/memory-store.ts';
import { Store } from '../../../src/embedded-convex/store.ts';
import type { WriterState } from './writer.ts';

export interface Ledger {
  /** Nanoseconds. */
  ts: bigint;
  entries: Map<string, number[]>;
  mirrors: Map<string, number[]>;
  counts: Map<string, number>;
}

/** Throws when the database does not open, or is not whole. */
export function readLedger(path: string): Ledger {
  const store = Store.open(path);
  try {
    const rows = (table: string) =>
      read(store, (transaction) => collect(transaction, scanOf(table))).map(({ value }) => value);
    return {
      ts: store.lastTs,
      entries: numbersByClient(rows('entries')),
      mirrors: numbersByClient(rows('mirrors')),
      counts: new Map(rows('counters').map((row) => [clientOf(row), Number(row['count'])])),
    };
  } finally {
    store.close();
  }
}

/** What is wrong with it, given what the writers know; empty: nothing. */
export function problemsOf(ledger: Ledger, writers: WriterState[]): string[] {
  return writers.flatMap(({ name, sent, acknowledged, seen }) => {
    const entries = ledger.entries.get(name) ?? [];
    const mirrors = ledger.mirrors.get(name) ?? [];
    const found = entries.length;
    const problems: string[] = [];
    // A client's mutations run in the order in which it sent them, each once.
    if (entries.some((number, position) => number !== position)) {
      problems.push(`entries lost, doubled or out of order: ${entries.join(' ')}`);
    }
    if (mirrors.join() !== entries.join())
      problems.push(`half a transaction: ${mirrors.join(' ')}`);
    if ((ledger.counts.get(name) ?? 0) !== found) {
      problems.push(`the counter says ${ledger.counts.get(name)} for ${found} entries`);
    }
    if (found < acknowledged) problems.push(`${acknowledged} acknowledged, ${found} there`);
    if (found <= seen) problems.push(`${seen} was seen, ${found} there`);
    if (found > sent) problems.push(`${sent} sent, ${found} there`);
    return problems.map((problem) => `${name}: ${problem}`);
  });
}

function clientOf({ client }: Record<string, unknown>): string {
  if (typeof client !== 'string') throw new Error('a row without its client');
  return client;
}

function numbersByClient(rows: Array<Record<string, unknown>>): Map<string, number[]> {
  const numbers = new Map<string, number[]>();
  for (const row of rows) {
    const client = clientOf(row);
    numbers.set(client, [...(numbers.get(client) ?? []), Number(row['number'])]);
  }
  return numbers;
}
