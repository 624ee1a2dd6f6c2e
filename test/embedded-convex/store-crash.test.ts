import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { Store } from '../../src/embedded-convex/store.ts';
import { SeededRandom } from '../support/crash-swarm/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { collect, read, scanOf } from './support/memory-store.ts';
import { Disk } from './support/power-loss/disk.ts';
import { traceWrites } from './support/power-loss/traced-writes.ts';

test('kill -9 between any two instructions loses no acknowledged commit and tears none', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'convex.sqlite3');
  let expected = 0;
  for (let round = 1; round <= 5; round += 1) {
    const { acknowledged, ts } = await writeUntilKilled(path, expected, 40 * round);
    expected = expectWhole(path, acknowledged, ts);
  }
}, 60_000);

const canTrace = spawnSync('strace', ['-qq', 'true']).status === 0;

test.runIf(canTrace)(
  'a power cut, after which what was not synced is there in part, loses no acknowledged commit and tears none',
  { timeout: 60_000 },
  async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const calls = await traceWrites([process.execPath, writer, path], {
      folder: folder.path,
      // Enough for the log to be copied into the database, and begun anew. The last of them may
      // be read before its own call is in the trace.
      lines: COMMITS + 1,
      trace: join(folder.path, 'trace'),
    });
    const random = new SeededRandom(34);
    const disk = new Disk();
    let acknowledged = 0;
    let ts = 0n;
    let cuts = 0;
    for (const call of calls) {
      disk.apply(call);
      if (call.op === 'tell') {
        const [n = '', stamp = ''] = call.line.trim().split(' ');
        acknowledged = Number(n) + 1;
        ts = BigInt(stamp);
      }
      // Before the first answer nothing was promised.
      if (acknowledged === 0 || random.next() > CUT_SHARE) continue;
      cuts += 1;
      for (const share of [0, random.next()]) {
        using left = temporaryFolder();
        disk.writeTo(left.path, () => random.next() < share);
        expectWhole(join(left.path, 'convex.sqlite3'), acknowledged, ts);
      }
    }
    expect(acknowledged).toBeGreaterThanOrEqual(COMMITS);
    expect(
      calls.some(({ op, ...call }) => op === 'sync' && 'file' in call && call.file === path),
    ).toBe(true);
    expect(cuts).toBeGreaterThan(20);
  },
);

const COMMITS = 250;
/** Of the moments between two system calls. */
const CUT_SHARE = 0.005;

/** Returns how many commits are there. */
function expectWhole(path: string, acknowledged: number, ts: bigint): number {
  const store = Store.open(path);
  const { left = 0, right = 0 } = store.tableCounts();
  // The last commit may be on disk without having been acknowledged.
  expect([acknowledged, acknowledged + 1]).toContain(left);
  expect(right).toBe(left);
  expect(store.lastTs >= ts).toBe(true);
  for (const table of ['left', 'right']) {
    const docs = read(store, (transaction) => collect(transaction, scanOf(table)));
    expect(docs.map((doc) => doc.value['n'])).toEqual(Array.from({ length: left }, (_, n) => n));
  }
  expect(store.findRequest('session', left - 1)?.result).toBe(String(left - 1));
  expect(store.findRequest('session', left)).toBe(null);
  store.close();
  return left;
}

const writer = join(import.meta.dirname, 'support', 'crash-writer', 'main.ts');

/** Kills a writing process after `count` acknowledged commits, or a little later. */
async function writeUntilKilled(
  path: string,
  from: number,
  count: number,
): Promise<{ acknowledged: number; ts: bigint }> {
  const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let acknowledged = from;
  let ts = 0n;
  for await (const line of createInterface({ input: child.stdout })) {
    const [n = '', stamp = ''] = line.split(' ');
    expect(Number(n)).toBe(acknowledged);
    acknowledged += 1;
    ts = BigInt(stamp);
    if (acknowledged - from === count) child.kill('SIGKILL');
  }
  await exited;
  return { acknowledged, ts };
}
