/** Sequential awaited mutations of an official client, against bare SQLite commits. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFunctionReference } from 'convex/server';
import { subscribe } from '../test/support/subscriber.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { startBuiltDaemon } from './built-daemon.ts';
import type { Figures } from './run.ts';

const COUNT = 2_000;
const WARM_UP = 200;

const create = makeFunctionReference<'mutation', { title: string; cwd: string }, string>(
  'threads:create',
);

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  await using daemon = await startBuiltDaemon(folder.path);
  const { client } = subscribe(daemon);
  const mutate = async (count: number) => {
    for (let index = 0; index < count; index += 1) {
      await client.mutation(create, { title: `Thread ${index}`, cwd: '/srv/project' });
    }
  };
  await mutate(WARM_UP);
  const mutations = await perSecond(() => mutate(COUNT));
  await client.close();

  const database = new DatabaseSync(join(folder.path, 'bare.sqlite3'));
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE docs (id INTEGER PRIMARY KEY, json TEXT)',
  );
  const insert = database.prepare('INSERT INTO docs (json) VALUES (?)');
  const row = JSON.stringify({ title: 'Thread 0', cwd: '/srv/project', padding: 'x'.repeat(300) });
  const commit = (count: number) => {
    for (let index = 0; index < count; index += 1) insert.run(row);
  };
  commit(WARM_UP);
  const commits = await perSecond(() => Promise.resolve(commit(COUNT)));
  database.close();
  return {
    'threads:create, one after the other': `${Math.round(mutations)} a second`,
    'bare node:sqlite commits, synchronous=FULL': `${Math.round(commits)} a second`,
    ratio: (mutations / commits).toFixed(2),
  };
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return COUNT / ((performance.now() - start) / 1000);
}
