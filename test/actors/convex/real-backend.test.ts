/** The writer, the connection and the functions before the embedded backend and an official client. */
import { join, resolve } from 'node:path';
import { ConvexClient } from 'convex/browser';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActor, fromCallback, setup, type AnyActorRef } from 'xstate';
import { api } from '../../../convex/_generated/api.js';
import { committer } from '../../../src/actors/convex/committer.ts';
import { ConvexConnection } from '../../../src/actors/convex/connection.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import type { Executor } from '../../../src/embedded-convex/executor.ts';
import { type RunningServer, startServer } from '../../../src/embedded-convex/server.ts';
import { openExecutor } from '../../../src/embedded-convex/worker-executor.ts';
import { openTokenSigner, type TokenSigner } from '../../../src/token-signer.ts';
import { convexWriter } from '../../../src/machines/convex-writer.ts';
import type { WriterReply } from '../../../src/machines/protocol.ts';
import { CODEX_ID, cursorAt, MACHINE, message } from '../../convex/backend.ts';
import { fileJob } from '../../support/writing.ts';
import { redaction } from '../../support/redaction.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const functions = { folder: resolve(import.meta.dirname, '../../../convex') };

let folder: ReturnType<typeof temporaryFolder>;
let tokens: TokenSigner;
let executor: Executor;
let server: RunningServer;
let connection: ConvexConnection;

beforeEach(async () => {
  folder = temporaryFolder();
  tokens = openTokenSigner(join(folder.path, 'home'));
  await startBackend(0);
  connection = new ConvexConnection({
    token: async () => (await tokens.sign('bridge')).token,
  });
});
afterEach(async () => {
  await connection.close();
  await stopBackend();
  folder[Symbol.dispose]();
});

async function startBackend(port: number): Promise<void> {
  executor = await openExecutor({
    databasePath: join(folder.path, 'convex.sqlite'),
    functions,
    env: tokens.environment,
  });
  server = await startServer({ executor, adminKey: 'test|key', port });
}

async function stopBackend(): Promise<void> {
  await server.close();
  await executor.close();
}

/** A sender that remembers what it is answered, and the writer beside it. */
function startWriter() {
  const answers: WriterReply[] = [];
  let answered = () => {};
  const tree = setup({
    actors: {
      sessions: fromCallback(({ receive }) =>
        receive((event) => {
          // The writer is the only one that sends anything here.
          answers.push(event as WriterReply);
          answered();
        }),
      ),
      writer: convexWriter.provide({
        actors: { committer: committer({ connection, machineId: MACHINE, redaction }) },
      }),
    },
  }).createMachine({
    invoke: [
      { src: 'sessions', id: 'sessions', systemId: 'sessions' },
      { src: 'writer', id: 'writer', systemId: 'writer', input: { random: Math.random } },
    ],
  });
  const root = createActor(tree).start();
  const writer: AnyActorRef | undefined = root.getSnapshot().children['writer'];
  if (writer === undefined) throw new Error('the writer did not start');
  const done = () => answers.flatMap((it) => (it.type === 'write.done' ? [it.jobId] : []));
  return {
    writer,
    done,
    /** Resolves when this many jobs have been acknowledged. */
    until: async (jobs: number) => {
      while (done().length < jobs) {
        await new Promise<void>((resolve) => {
          answered = resolve;
        });
      }
      return answers;
    },
    stop: () => root.stop(),
  };
}

const jobOf = (n: number) => ({
  ...fileJob(`j${n}`, CODEX_ID),
  items: [message(`k/${n}`, `line ${n}`, 1_000 + n)],
  cursor: cursorAt(n),
});

test('what is written appears on a subscriber, in order and once', async () => {
  connection.open(server.url);
  const { writer, until, stop } = startWriter();
  const subscriber = new ConvexClient(server.url, { logger: false, expectAuth: true });
  subscriber.setAuth(async () => (await tokens.sign('client')).token);
  const seen: string[][] = [];
  const caughtUp = new Promise<void>((resolve) => {
    subscriber.onUpdate(api.messages.forThread, { threadId: CODEX_ID }, (rows) => {
      seen.push(rows.map((row) => row.key));
      if (rows.length === 20) resolve();
    });
  });
  writer.send({ type: 'convex.online' });
  for (let n = 1; n <= 20; n += 1)
    writer.send({ type: 'write.submit', job: jobOf(n), from: 'sessions' });
  await until(20);
  await caughtUp;
  const whole = Array.from({ length: 20 }, (_, n) => `k/${n + 1}`);
  expect(seen.at(-1)).toEqual(whole);
  // Every state that the subscriber saw was a beginning of the whole: in order, nothing twice.
  for (const keys of seen) expect(keys).toEqual(whole.slice(0, keys.length));
  stop();
  await subscriber.close();
});

test('a backend that goes and comes back loses and doubles nothing', async () => {
  connection.open(server.url);
  const { writer, until, done, stop } = startWriter();
  writer.send({ type: 'convex.online' });
  for (let n = 1; n <= 30; n += 1)
    writer.send({ type: 'write.submit', job: jobOf(n), from: 'sessions' });
  await until(3);
  const { port, url } = server;
  await stopBackend();
  writer.send({ type: 'convex.offline', reason: 'stopped by the test' });
  await startBackend(port);
  connection.open(url);
  writer.send({ type: 'convex.online' });
  // What was read of a file is forgotten meanwhile: its watcher begins anew, and gives it again.
  for (let n = 1; n <= 40; n += 1) {
    if (done().includes(`j${n}`)) continue;
    writer.send({ type: 'write.submit', job: jobOf(n), from: 'sessions' });
  }
  await until(40);
  expect(done()).toEqual(Array.from({ length: 40 }, (_, n) => `j${n + 1}`));
  const rows = await connection.query(api.messages.forThread, { threadId: CODEX_ID });
  expect(rows.map((row) => row.key)).toEqual(Array.from({ length: 40 }, (_, n) => `k/${n + 1}`));
  stop();
});

test('a subscription goes on when the backend moves to another address', async () => {
  connection.open(server.url);
  const titles: string[] = [];
  const { promise: second, resolve: sawSecond } = Promise.withResolvers<void>();
  const { promise: first, resolve: sawFirst } = Promise.withResolvers<void>();
  const unsubscribe = connection.onUpdate(api.threads.list, {}, (rows) => {
    titles.push(rows.map((row) => row.title).join());
    if (titles.at(-1) === 'one') sawFirst();
    if (titles.at(-1) === 'two,one') sawSecond();
  });
  await connection.mutation(api.threads.create, { title: 'one' });
  await first;
  await stopBackend();
  await startBackend(0);
  connection.open(server.url);
  await connection.mutation(api.threads.create, { title: 'two' });
  await second;
  unsubscribe();
});

test('what a function refuses comes back with its own words', async () => {
  connection.open(server.url);
  await expect(
    connection.mutation(api.threads.rename, { id: 'nobody', title: 'x' }),
  ).rejects.toMatchObject({ code: 'convex_rejected', message: expect.stringContaining('nobody') });
});

test('a document that is too large is set apart; what is too deep is kept as text; the rest is in', async () => {
  connection.open(server.url);
  const { writer, until, stop } = startWriter();
  writer.send({ type: 'convex.online' });
  let deep: ThreadItem['data'] = { bottom: true };
  for (let level = 0; level < 30; level += 1) deep = { in: deep };
  const job = {
    ...jobOf(1),
    items: [
      message('k/1', 'before', 1),
      message('k/2', 'x'.repeat(1_100_000), 2),
      { ...message('k/3', 'deep', 3), data: { result: deep } },
      message('k/4', 'after', 4),
    ],
  };
  writer.send({ type: 'write.submit', job, from: 'sessions' });
  const reply = (await until(1)).find(({ type }) => type === 'write.done');
  expect(reply).toMatchObject({
    type: 'write.done',
    result: {
      inserted: 3,
      rejected: [{ key: 'k/2', reason: expect.stringMatching(/size|large|MiB/) }],
    },
  });
  const rows = await connection.query(api.messages.forThread, { threadId: CODEX_ID });
  expect(rows.map(({ key }) => key)).toEqual(['k/1', 'k/3', 'k/4']);
  expect(JSON.stringify(rows[1]?.data)).toContain(String.raw`\"bottom\":true`);
  stop();
});
