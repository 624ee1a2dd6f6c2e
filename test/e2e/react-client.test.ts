/** What a page with `convex/react` shows, render by render, on the embedded backend. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConvexHttpClient } from 'convex/browser';
import { beforeAll, expect, test } from 'vitest';
import { bundleFunctions } from '../../src/embedded-convex/runtime/bundle.ts';
import { api, functionsFolder, startBackend } from '../embedded-convex/support/backend.ts';
import { spawnBackend } from '../embedded-convex/support/backend-process.ts';
import { writeFunctions } from '../embedded-convex/support/functions-folder.ts';
import { tokenIssuer } from '../embedded-convex/support/token-issuer.ts';
import { openPage } from '../support/browser.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const ENTRY = 'rooms.tsx';

const AUTH_CONFIG = `
const issuer = process.env.TEST_ISSUER;
export default {
  providers: [{ type: 'customJwt', issuer, jwks: process.env.TEST_JWKS, algorithm: 'ES256' }],
};`;

/** What `rooms.tsx` sets in its page; this file's own types know no browser, hence the casts. */
interface PageWindow {
  app: {
    lists: Array<string[] | null>;
    pages: string[][];
    pageStatus: string;
    names: Record<string, Array<string | null>>;
    send(body: string): Promise<unknown>;
    loadMore(count: number): void;
  };
}

let port: number;
beforeAll(async () => {
  port = await freePort();
});

async function serve(folder: string) {
  const backend = spawnBackend(folder, '--port', String(port));
  const { url } = await backend.ready;
  const client = new ConvexHttpClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
  return { backend, url, client };
}

test('optimistic updates: each message is there at once, stays, and is never there twice', async () => {
  await using backend = await startBackend();
  await using opened = await openPage(ENTRY, { convex: backend.url, room: 'optimistic' });
  const { page, errors } = opened;
  await page.waitForSelector('#count:text("0")');
  await page.evaluate(async () => {
    const { app } = globalThis as unknown as PageWindow;
    for (let number = 0; number < 30; number += 1) await app.send(`message ${number}`);
  });
  // React renders after the promise of the last mutation, not with it.
  await page.waitForSelector('#count:text("30")');
  const lists = await page.evaluate(() => (globalThis as unknown as PageWindow).app.lists);
  const lengths = lists.map((list) => list?.length ?? -1);
  expect(lengths.slice(lengths.indexOf(0)).toSorted((a, b) => a - b)).toEqual(
    lengths.slice(lengths.indexOf(0)),
  );
  expect(lists.at(-1)).toEqual(Array.from({ length: 30 }, (_, number) => `message ${number}`));
  for (const list of lists) expect(new Set(list).size).toBe(list?.length ?? 0);
  expect(errors).toEqual([]);
});

test('loaded pages take up what is inserted inside them, without gap or double, also after kill -9', async () => {
  using folder = temporaryFolder();
  const first = await serve(folder.path);
  const room = 'pages';
  const body = (number: number) => `message ${String(number).padStart(3, '0')}`;
  // Even numbers; odd ones are inserted between them later.
  for (let number = 0; number < 40; number += 2) {
    await first.client.mutation(api.rooms.send, { room, body: body(number) });
  }
  await using opened = await openPage(ENTRY, { convex: first.url, room });
  const { page, errors } = opened;
  const shown = () =>
    page.evaluate(() => (globalThis as unknown as PageWindow).app.pages.at(-1) ?? []);
  // The limit is longer than the client waits between two attempts at a backend that is away.
  const shows = (expected: string[]) =>
    until(
      `the page shows ${expected.length} messages`,
      async () => JSON.stringify(await shown()) === JSON.stringify(expected),
      30_000,
    );
  const expected = Array.from({ length: 5 }, (_, at) => body(at * 2));
  await shows(expected);
  await page.evaluate(() => (globalThis as unknown as PageWindow).app.loadMore(5));
  expected.push(...Array.from({ length: 5 }, (_, at) => body(10 + at * 2)));
  await shows(expected);
  for (const number of [3, 5]) {
    await first.client.mutation(api.rooms.send, { room, body: body(number) });
    expected.push(body(number));
    expected.sort();
    await shows(expected);
  }
  first.backend.kill('SIGKILL');
  await first.backend.exited;
  const second = await serve(folder.path);
  await using _ = second.backend;
  // Before the page is back: its journals say where its pages ended.
  for (const number of [1, 13]) {
    await second.client.mutation(api.rooms.send, { room, body: body(number) });
    expected.push(body(number));
  }
  expected.sort();
  await shows(expected);
  const renders = await page.evaluate(() => (globalThis as unknown as PageWindow).app.pages);
  for (const render of renders) {
    expect(render).toEqual([...new Set(render)].sort());
    // Of what was there from the start, nothing is skipped.
    const seeded = render.filter((text) => Number(text.slice(-3)) % 2 === 0);
    expect(seeded).toEqual(seeded.map((__, at) => body(at * 2)));
  }
  // The browser says that connections were refused; the app has nothing to say.
  expect(errors.filter((error) => !error.includes('WebSocket'))).toEqual([]);
});

test('loaded pages begin anew when an edited function no longer takes their cursors', async () => {
  using folder = temporaryFolder();
  const functions = copyFunctions(folder.path);
  await using backend = await startBackend({ functions });
  const client = backend.client();
  const bodies = Array.from('abcdefghijkl');
  for (const body of bodies) await client.mutation(api.rooms.send, { room: 'anew', body });
  await using opened = await openPage(ENTRY, { convex: backend.url, room: 'anew' });
  const { page, errors } = opened;
  const shows = (expected: string[]) =>
    until(`the page shows ${expected.join()}`, async () => {
      const pages = await page.evaluate(() => (globalThis as unknown as PageWindow).app.pages);
      return pages.at(-1)?.join() === expected.join();
    });
  await shows(bodies.slice(0, 5));
  await page.evaluate(() => (globalThis as unknown as PageWindow).app.loadMore(5));
  await shows(bodies.slice(0, 10));
  const file = join(functions, 'rooms.ts');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('.paginate(', ".order('desc').paginate("));
  await backend.executor.reload(await bundleFunctions(functions));
  await shows(bodies.toReversed().slice(0, 5));
  await page.evaluate(() => (globalThis as unknown as PageWindow).app.loadMore(5));
  await shows(bodies.toReversed().slice(0, 10));
  expect(errors.filter((error) => !error.includes('InvalidCursor'))).toEqual([]);
});

test('a query shows what it had while the backend is away, and what is new when it is back', async () => {
  using folder = temporaryFolder();
  const room = 'restart';
  const first = await serve(folder.path);
  await first.client.mutation(api.rooms.send, { room, body: 'before' });
  await using opened = await openPage(ENTRY, { convex: first.url, room });
  const { page } = opened;
  await page.waitForSelector('#count:text("1")');
  first.backend.kill('SIGKILL');
  await first.backend.exited;
  // Sent to nobody; it arrives once there is somebody.
  const sent = page.evaluate(() => (globalThis as unknown as PageWindow).app.send('meanwhile'));
  const second = await serve(folder.path);
  await using _ = second.backend;
  await sent;
  await second.client.mutation(api.rooms.send, { room, body: 'after' });
  await page.waitForSelector('#count:text("3")');
  const lists = await page.evaluate(() => (globalThis as unknown as PageWindow).app.lists);
  const shown = lists.slice(lists.findIndex((list) => list !== null));
  expect(shown.every((list) => list?.[0] === 'before')).toBe(true);
  expect(shown.at(-1)).toEqual(['before', 'meanwhile', 'after']);
});

test('two identities on one page see their own results, and never those of the other', async () => {
  using folder = temporaryFolder();
  const issuer = await tokenIssuer();
  const functions = copyFunctions(folder.path, { 'auth.config.ts': AUTH_CONFIG });
  const env = { TEST_ISSUER: issuer.issuer, TEST_JWKS: issuer.dataUrl };
  await using backend = await startBackend({ functions, env });
  await using opened = await openPage(ENTRY, {
    convex: backend.url,
    names: '',
    Ada: await issuer.sign({ sub: 'Ada' }),
    Grace: await issuer.sign({ sub: 'Grace' }),
  });
  const { page } = opened;
  await page.waitForSelector('#Ada:text("Ada")');
  await page.waitForSelector('#Grace:text("Grace")');
  const names = await page.evaluate(() => (globalThis as unknown as PageWindow).app.names);
  expect(new Set(names['Ada'])).toEqual(new Set([undefined, 'Ada']));
  expect(new Set(names['Grace'])).toEqual(new Set([undefined, 'Grace']));
});

/** The test application, to be edited, with `more` beside it. */
function copyFunctions(parent: string, more: Record<string, string> = {}): string {
  const copied = Object.fromEntries(
    ['rooms.ts', 'schema.ts'].map((file) => [
      file,
      readFileSync(join(functionsFolder, file), 'utf8'),
    ]),
  );
  return writeFunctions(parent, { ...copied, ...more });
}
