/** What a large database costs: an indexed read, and the start. */
import { join } from 'node:path';
import { statSync } from 'node:fs';
import { convexTest } from 'convex-test';
import { execa } from 'execa';
import { openExecutor } from '../../src/embedded-convex/worker-executor.ts';
import type { Executor } from '../../src/embedded-convex/executor.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import { percentile } from '../percentile.ts';
import type { Figures } from '../run.ts';
import { alternate } from './alternate.ts';
import schema from './functions/schema.ts';
import { api, elapsed, functionsFolder, spawnServed } from './served.ts';

const SMALL = 1000;
const LARGE = 100_000;
const READS = 2000;
const GIGABYTE = 2 ** 30;

export async function measureSize(): Promise<Figures> {
  const [small, large] = await reads();
  const mock = await convexTestTime();
  const start = await startLarge();
  return {
    [`take(50) of ${SMALL} documents`]: `p50 ${small.toFixed(3)} ms`,
    [`take(50) of ${LARGE} documents`]: `p50 ${large.toFixed(3)} ms`,
    'ratio (at most 1.3)': (large / small).toFixed(2),
    [`the same in convex-test, ${LARGE} documents`]: `${mock.toFixed(1)} ms`,
    'times faster (at least 50)': (mock / large).toFixed(0),
    ...start,
  };
}

/** Median ms of one read, to the engine's thread and back, of few documents and of many. */
async function reads(): Promise<[number, number]> {
  await using small = await filled(SMALL);
  await using large = await filled(LARGE);
  return await alternate(READS, small.read, large.read);
}

async function filled(count: number) {
  const folder = temporaryFolder();
  const executor = await openExecutor({
    databasePath: join(folder.path, 'data.sqlite'),
    functions: { folder: functionsFolder },
  });
  await fill(executor, count, 100);
  return {
    read: (turn: number) => {
      const args = JSON.stringify([{ from: Math.abs(turn * 37) % 100_000 }]);
      const request = { path: 'bench:firstByRank', args, identity: null, journal: null };
      return executor.queries([request]);
    },
    async [Symbol.asyncDispose]() {
      await executor.close();
      folder[Symbol.dispose]();
    },
  };
}

async function fill(executor: Executor, count: number, textLength: number): Promise<void> {
  const batch = Math.min(count, 500, Math.floor((12 * 2 ** 20) / textLength));
  for (let first = 0; first < count; first += batch) {
    const args = JSON.stringify([{ first, count: batch, textLength }]);
    const { outcome } = await executor.mutation({ path: 'bench:fill', args, identity: null });
    if (!outcome.ok) throw new Error(outcome.errorMessage);
  }
}

async function convexTestTime(): Promise<number> {
  const test = convexTest(schema, {
    './_generated/api.js': () => Promise.resolve({}),
    './bench.ts': () => import('./functions/bench.ts'),
  });
  for (let first = 0; first < LARGE; first += 1000) {
    await test.mutation(api.fill, { first, count: 1000, textLength: 100 });
  }
  const samples: number[] = [];
  for (let number = 0; number < 3; number += 1) {
    samples.push(await elapsed(() => test.query(api.firstByRank, { from: number * 1000 })));
  }
  return percentile(samples, 0.5);
}

async function startLarge(): Promise<Figures> {
  using folder = temporaryFolder();
  const path = join(folder.path, 'data.sqlite');
  const executor = await openExecutor({
    databasePath: path,
    functions: { folder: functionsFolder },
  });
  await fill(executor, 64_000, 16 * 1024);
  await executor.close();
  const start = performance.now();
  await using backend = spawnServed(path);
  const { url } = await backend.ready;
  const ready = performance.now() - start;
  const response = await fetch(`${url}/api/query`, {
    method: 'POST',
    body: JSON.stringify({ path: 'bench:firstByRank', args: { from: 5 } }),
  });
  await response.json();
  const { stdout } = await execa('ps', ['-o', 'rss=', '-p', String(backend.pid)]);
  return {
    [`start with ${(statSync(path).size / GIGABYTE).toFixed(2)} GiB (at most 1 s)`]: `${ready.toFixed(0)} ms`,
    'resident memory then (at most 200 MB)': `${Math.round(Number(stdout) / 1024)} MB`,
  };
}
