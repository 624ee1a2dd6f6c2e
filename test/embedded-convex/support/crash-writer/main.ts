/**
 * Run as a process of its own: commits one document after another into the file that it is
 * given, two tables in each commit, and prints the number of each commit once it is on disk.
 */
import { writeSync } from 'node:fs';
import { Store } from '../../../../src/embedded-convex/store.ts';

const [path = ''] = process.argv.slice(2);
const store = Store.open(path);
const counts = store.tableCounts();
for (let n = counts['left'] ?? 0; ; n += 1) {
  const transaction = store.begin();
  transaction.insert('left', { n });
  transaction.insert('right', { n, text: 'x'.repeat(500) });
  const request = { sessionId: 'session', requestId: n, result: String(n), logLines: [] };
  const commit = transaction.commit({ request });
  writeSync(1, `${n} ${commit?.ts}\n`);
}
