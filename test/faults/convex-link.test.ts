import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { createActor, waitFor } from 'xstate';
import { afterEach, describe, expect, test } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { ConvexConnection } from '../../src/actors/convex/connection.ts';
import { checkFunctions } from '../../src/actors/convex/check-functions.ts';
import { deployment } from '../../src/actors/convex-backend/deploy.ts';
import { embeddedBackend } from '../../src/actors/convex-backend/embedded.ts';
import { health } from '../../src/actors/convex-backend/health.ts';
import { probe } from '../../src/actors/convex-backend/probe.ts';
import { adminKeyFile, tableCounts } from '../../src/actors/convex-backend/table-counts.ts';
import { childSpec } from '../../src/machines/child-spec.ts';
import { convexLink } from '../../src/machines/convex-link.ts';
import { environmentArguments } from '../../src/entries.ts';
import { openTokenSigner } from '../../src/token-signer.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import { holdPort } from '../support/ports.ts';
import { isAlive } from '../support/processes.ts';
import { childOf, supervisorInput } from '../support/supervision.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const open: { stop: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.stop();
});

/** Gone after all that works in it. */
function ownFolder(): { path: string } {
  const folder = temporaryFolder();
  open.push({ stop: async () => folder[Symbol.dispose]() });
  return folder;
}

interface LinkOptions {
  port?: number;
  stopLimitMs?: number;
  probeLimitMs?: number;
  retryMs?: number;
}

/** The link as the daemon has it, on the backend that is shipped. */
function link(folder: string, options: LinkOptions = {}) {
  const tokens = openTokenSigner(join(folder, 'home'));
  const connection = new ConvexConnection({
    token: async () => (await tokens.sign('bridge')).token,
  });
  const log: string[] = [];
  const database = join(folder, 'convex.sqlite');
  const logic = convexLink.provide({
    // Long enough to be seen, and no longer.
    delays: { SELDOM: 300 },
    actors: {
      backend: embeddedBackend({
        entry: fileURLToPath(new URL('../../src/embedded-convex/main.ts', import.meta.url)),
        database,
        port: options.port ?? 0,
        stopLimitMs: options.stopLimitMs ?? 6000,
        interface: '127.0.0.1',
        arguments: environmentArguments(tokens.environment),
        functions: { folder: fileURLToPath(new URL('../../convex', import.meta.url)) },
        log: (line) => log.push(line),
      }),
      probe,
      deploy: deployment({
        open: (url) => connection.open(url),
        check: () => checkFunctions(connection),
      }),
      health: health({
        connection,
        tables: tableCounts(adminKeyFile(database)),
        intervalMs: 200,
        // By default it is told that the backend has ended before it has asked twice.
        retryMs: options.retryMs ?? 5000,
        probeLimitMs: options.probeLimitMs ?? 5000,
      }),
    },
  });
  const root = createActor(supervisor, {
    input: {
      ...supervisorInput([], {}),
      children: [
        childSpec({
          id: 'convex',
          logic,
          input: { mode: 'embedded', url: '', db: database, now: Date.now, random: () => 0.5 },
          restart: 'permanent',
          shutdown: 10_000,
        }),
      ],
    },
  });
  root.start();
  const actor = childOf(root, 'convex');
  const running = {
    connection,
    log,
    context: () => actor.getSnapshot().context,
    until: async (state: string) => {
      await waitFor(actor, (snapshot) => snapshot.context.state === state);
    },
    stop: async () => {
      root.send({ type: 'shutdown' });
      await waitFor(root, (snapshot) => snapshot.status !== 'active');
      await connection.close();
    },
  };
  open.push(running);
  return running;
}

/** Process id of the backend that serves this folder. */
async function backendOf(folder: string): Promise<number> {
  const { stdout } = await execa('ps', ['-A', '-o', 'pid=,ppid=,args=']);
  const line = stdout.split('\n').find((each) => {
    const [, parent] = each.trim().split(/\s+/);
    return parent === String(process.pid) && each.includes(folder);
  });
  return Number(line?.trim().split(/\s+/)[0]);
}

describe('the embedded backend under the link', () => {
  test('that is killed comes back at the same address with the same data, and clients go on', async () => {
    const folder = ownFolder();
    const running = link(folder.path);
    await running.until('online');
    const { url } = running.context();
    const titles: string[][] = [];
    running.connection.onUpdate(api.threads.list, {}, (threads) => {
      titles.push(threads.map((thread) => thread.title));
    });
    for (const title of ['first', 'second', 'third']) {
      await running.connection.mutation(api.threads.create, { title });
      const killed = await backendOf(folder.path);
      process.kill(killed, 'SIGKILL');
      await running.until('backingOff');
      expect(running.context().lastError?.message).toContain('SIGKILL');
      await running.until('online');
      expect(await backendOf(folder.path)).not.toBe(killed);
    }
    expect(running.context().url).toBe(url);
    const after = await running.connection.query(api.threads.list, {});
    expect(after.map((thread) => thread.title).toSorted()).toEqual(['first', 'second', 'third']);
    await running.connection.mutation(api.threads.create, { title: 'fourth' });
    await until('all four are shown', () => titles.at(-1)?.length === 4);
  });

  test('that hangs is found out, ended and replaced', async () => {
    const folder = ownFolder();
    // For a backend that lives, also on a machine that is busy, more than enough.
    const running = link(folder.path, { stopLimitMs: 200, probeLimitMs: 1000, retryMs: 100 });
    await running.until('online');
    const frozen = await backendOf(folder.path);
    process.kill(frozen, 'SIGSTOP');
    await running.until('backingOff');
    await running.until('online');
    expect(isAlive(frozen)).toBe(false);
  });

  test('tells the rows per table to the holder of its key, and to nobody else', async () => {
    const folder = ownFolder();
    const running = link(folder.path);
    await running.until('online');
    await running.connection.mutation(api.threads.create, { title: 'one' });
    await until('they are told', () => running.context().tables?.['threads'] === 1);
    expect(running.context().tables).toMatchObject({ threads: 1, messages: 0 });
    const response = await fetch(new URL('/api/table_counts', running.context().url));
    expect(response.status).toBe(403);
  });

  test('ends with the link', async () => {
    const folder = ownFolder();
    const running = link(folder.path);
    await running.until('online');
    const pid = await backendOf(folder.path);
    await running.stop();
    expect(isAlive(pid)).toBe(false);
  });

  test('whose port is taken says so, and comes up when it is free', async () => {
    const folder = ownFolder();
    const other = await holdPort();
    const running = link(folder.path, { port: other.port });
    await running.until('failed');
    expect(running.context().lastError).toMatchObject({ code: 'port_taken' });
    await other.close();
    await running.until('online');
    expect(running.context().url).toContain(String(other.port));
  });

  test('whose database is damaged sets it aside, says so, and serves a new one', async () => {
    const folder = ownFolder();
    const path = join(folder.path, 'convex.sqlite');
    writeFileSync(path, 'this is no database, but somebody may want it back'.repeat(200));
    const before = readFileSync(path);
    const running = link(folder.path);
    await running.until('online');
    const { lastError } = running.context();
    expect(lastError).toMatchObject({ code: 'convex_set_aside' });
    const [file = ''] = readdirSync(folder.path).filter((name) => name.includes('.damaged-'));
    expect(lastError?.message).toContain(join(folder.path, file));
    expect(readFileSync(join(folder.path, file)).equals(before)).toBe(true);
  });
});
