import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { Store } from '../../src/embedded-convex/store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { collect, read, scanOf } from './support/memory-store.ts';

test('kill -9 between any two instructions loses no acknowledged commit and tears none', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'convex.sqlite3');
  let expected = 0;
  for (let round = 1; round <= 5; round += 1) {
    const { acknowledged, ts } = await writeUntilKilled(path, expected, 40 * round);
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
    expected = left;
  }
}, 60_000);

/** Kills a writing process after `count` acknowledged commits, or a little later. */
async function writeUntilKilled(
  path: string,
  from: number,
  count: number,
): Promise<{ acknowledged: number; ts: bigint }> {
  const program = join(import.meta.dirname, 'support', 'crash-writer', 'main.ts');
  const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
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
