/** Taking secrets out of items, against JSON.parse of the lines that they come from. */
import { readFileSync } from 'node:fs';
import { createRolloutReader } from '../src/codex/rollout/create-rollout-reader.ts';
import type { ThreadItem } from '../src/codex/thread-item.ts';
import { Redactor } from '../src/secrets/redactor.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { writeRealisticSession } from './material/realistic-session.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

const BYTES = 20_000_000;
const ROUNDS = 9;
const SECRET = `ghp_${'a1B2'.repeat(9)}`;

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  const { path } = writeRealisticSession(folder.path, { at: new Date(), bytes: BYTES, seed: 1 });
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const items = itemsOf(path, lines);
  const withSecrets = items.map((item) => ({ ...item, text: `${item.text ?? ''} ${SECRET}` }));
  const redactor = new Redactor([{ kind: 'bridge-token', value: 'not-in-there-0123456789' }]);
  const characters = items.reduce((sum, item) => sum + sizeOf(item), 0);

  const parse: number[] = [];
  const clean: number[] = [];
  const full: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    parse.push(seconds(() => lines.forEach((line) => JSON.parse(line))));
    clean.push(seconds(() => items.forEach((item) => redactor.item(item))));
    full.push(seconds(() => withSecrets.forEach((item) => redactor.item(item))));
  }
  const median = (times: number[]) => percentile(times, 0.5);
  const rate = (size: number, times: number[]) => `${(size / 1e6 / median(times)).toFixed(0)} MB/s`;
  return {
    items: `${items.length}, ${(characters / 1e6).toFixed(1)} MB of text and data`,
    'without a secret (at least 100 MB/s)': rate(characters, clean),
    'with one in each text': rate(characters, full),
    'JSON.parse of their lines': rate(BYTES, parse),
    'share of the time of JSON.parse': (median(clean) / median(parse)).toFixed(2),
  };
}

function itemsOf(path: string, lines: string[]): ThreadItem[] {
  const reader = createRolloutReader({ path });
  let offset = 0;
  return lines.flatMap((line) => {
    const { items } = reader.push(line, { offset, length: line.length });
    offset += line.length + 1;
    return items;
  });
}

function sizeOf({ text = '', data }: ThreadItem): number {
  return text.length + (data === undefined ? 0 : JSON.stringify(data).length);
}

function seconds(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}
