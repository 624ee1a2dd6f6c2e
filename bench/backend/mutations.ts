/** What a durable mutation costs, against the same commits of bare SQLite in the same folder. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import type { Figures } from '../run.ts';
import { alternate, WARM_UP } from './alternate.ts';
import { rowWriter } from './same-rows.ts';
import { api, connect, spawnServed } from './served.ts';

const TURNS = 30;
const MUTATIONS = 50;
const BATCH = 200;
const TEXT_LENGTH = 200;

export async function measureMutations(): Promise<Figures> {
  using folder = temporaryFolder();
  return {
    ...(await measureSequential(folder.path)),
    ...(await measureBatches(folder.path)),
  };
}

async function measureSequential(folder: string): Promise<Figures> {
  await using backend = spawnServed(join(folder, 'sequential.sqlite'));
  const { url } = await backend.ready;
  const client = connect(url);
  const bare = bareDatabase(join(folder, 'bare.sqlite'));
  const [ours, theirs] = await alternate(
    TURNS,
    async (turn) => {
      for (let number = 0; number < MUTATIONS; number += 1) {
        await client.mutation(api.send, { room: 'bench', body: `message ${turn}.${number}` });
      }
    },
    (turn) => {
      for (let number = 0; number < MUTATIONS; number += 1) {
        bare.run(JSON.stringify({ room: 'bench', body: `message ${turn}.${number}` }));
      }
    },
  );
  await client.close();
  return {
    'mutations one after the other, official client': perSecond(MUTATIONS, ours),
    'bare node:sqlite commits, synchronous=FULL': perSecond(MUTATIONS, theirs),
    'ratio (at least 0.3)': (theirs / ours).toFixed(2),
  };
}

async function measureBatches(folder: string): Promise<Figures> {
  const sample = join(folder, 'sample.sqlite');
  const batch = (turn: number) => {
    const first = (turn + WARM_UP) * BATCH;
    return { first, count: BATCH, textLength: TEXT_LENGTH };
  };
  {
    await using backend = spawnServed(sample);
    const client = connect((await backend.ready).url);
    for (let turn = -WARM_UP; turn < TURNS; turn += 1) await client.mutation(api.fill, batch(turn));
    await client.close();
    backend.kill('SIGTERM');
    await backend.exited;
  }
  const writer = rowWriter(sample, join(folder, 'same.sqlite'), BATCH);
  await using backend = spawnServed(join(folder, 'batched.sqlite'));
  const client = connect((await backend.ready).url);
  const [ours, theirs] = await alternate(
    TURNS,
    (turn) => client.mutation(api.fill, batch(turn)),
    (turn) => writer.write(turn + WARM_UP),
  );
  await client.close();
  return {
    'inserts, 200 a mutation, six indexes': perSecond(BATCH, ours),
    'same rows and keys by hand-written SQLite': perSecond(BATCH, theirs),
    'ratio (at least 0.35)': (theirs / ours).toFixed(2),
  };
}

function bareDatabase(path: string) {
  const database = new DatabaseSync(path);
  database.exec(
    'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE docs (id INTEGER PRIMARY KEY, json TEXT)',
  );
  return database.prepare('INSERT INTO docs (json) VALUES (?)');
}

function perSecond(count: number, ms: number): string {
  return `${Math.round((count / ms) * 1000)} a second`;
}
