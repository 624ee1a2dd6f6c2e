/**
 * The disk of the embedded database is full, and then has room again: a real disk of 2 MiB where
 * the machine lets us mount one without being root, and everywhere the error that SQLite gives.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { StatementSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { ConvexClient } from 'convex/browser';
import { expect, test, vi } from 'vitest';
import { Store } from '../../src/embedded-convex/store.ts';
import { api, functionsFolder } from '../embedded-convex/support/backend.ts';
import { spawnCommand } from '../embedded-convex/support/backend-process.ts';
import { collect, read, scanOf, write } from '../embedded-convex/support/memory-store.ts';
import { watch } from '../embedded-convex/support/values-seen.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A user namespace of our own, as Linux allows in most places. */
const canMount =
  spawnSync('unshare', ['-Urm', 'sh', '-c', 'mount -t tmpfs -o size=2m tmpfs /mnt']).status === 0;

test.runIf(canMount)(
  'with a full disk nothing is acknowledged and everything readable; with room again all that waited is written once',
  async () => {
    using folder = temporaryFolder();
    await using backend = spawnOnSmallDisk(folder.path);
    const { url } = await backend.ready;
    const writer = open(url);
    await writer.mutation(api.rooms.send, { room: 'r', body: 'before' });
    // More than there is.
    backend.say('4096');
    await backend.line('filled 4096');

    const bodies = Array.from({ length: 20 }, (_, n) => `${n} ${'x'.repeat(20_000)}`);
    let acknowledged = 0;
    const waiting = bodies.map(async (body) => {
      await writer.mutation(api.rooms.send, { room: 'r', body });
      acknowledged += 1;
    });
    expect(JSON.parse(await backend.line('"error":"DiskFull"'))).toEqual({
      error: 'DiskFull',
      message: expect.stringContaining('disk is full'),
    });
    const reader = open(url);
    const before = await reader.query(api.rooms.count, { room: 'r' });
    const refused = await fetch(`${url}/api/mutation`, {
      method: 'POST',
      body: JSON.stringify({ path: 'rooms:send', args: { room: 'other', body: bodies[0] } }),
    });
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'DiskFull' }]);
    expect(await reader.query(api.rooms.count, { room: 'r' })).toBe(before);
    // One that still had room may be answered later: the connection ends with the first that had none.
    expect(1 + acknowledged).toBeLessThanOrEqual(before);
    const seen = watch(reader, api.rooms.list, { room: 'r' });

    backend.say('0');
    await Promise.all(waiting);
    await backend.line('"recovered":"DiskFull"');
    await seen.until((value) => Array.isArray(value) && value.length === 21);
    expect(seen.values.at(-1)).toEqual(['before', ...bodies]);
    expect(await reader.query(api.rooms.count, { room: 'other' })).toBe(0);
    await Promise.all([writer.close(), reader.close()]);
    backend.kill('SIGTERM');
    // However often it was tried, it was said once.
    const { stderr } = await backend.exited;
    expect(stderr.match(/DiskFull/g)).toHaveLength(1);
  },
);

test('a commit that SQLite has no room for is rolled back, and the store reads and writes on', () => {
  using folder = temporaryFolder();
  const store = Store.open(join(folder.path, 'data.sqlite'));
  write(store, (transaction) => transaction.insert('t', { n: 1 }));
  const full = Object.assign(new Error('database or disk is full'), { errcode: 13 });
  // oxlint-disable-next-line typescript/unbound-method -- called on its statement below
  const { run } = StatementSync.prototype;
  const spy = vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function commitsNot(
    this: StatementSync,
    ...parameters
  ) {
    if (this.sourceSQL === 'COMMIT') throw full;
    return run.apply(this, parameters);
  });
  const insertTwo = () => write(store, (transaction) => transaction.insert('t', { n: 2 }));
  expect(insertTwo).toThrow(expect.objectContaining({ code: 'DiskFull' }));
  expect(insertTwo).toThrow(expect.objectContaining({ code: 'DiskFull' }));
  const rows = () =>
    read(store, (transaction) => collect(transaction, scanOf('t'))).map(({ value }) => value['n']);
  expect(rows()).toEqual([1]);
  spy.mockRestore();
  insertTwo();
  expect(rows()).toEqual([1, 2]);
  store.close();
});

function spawnOnSmallDisk(folder: string) {
  const program = fileURLToPath(
    new URL('../embedded-convex/support/small-disk/main.ts', import.meta.url),
  );
  const mount = 'disk=$1; shift; mount -t tmpfs -o size=2m tmpfs "$disk" && exec "$@"';
  const database = ['--db', join(folder, 'data.sqlite'), '--functions', functionsFolder];
  const backend = [process.execPath, program, folder, ...database];
  return spawnCommand('unshare', '-Urm', 'sh', '-c', mount, 'sh', folder, ...backend);
}

function open(url: string): ConvexClient {
  return new ConvexClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
}
