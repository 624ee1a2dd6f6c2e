import { convexTest as officialConvexTest } from 'convex-test';
import { defineSchema, defineTable, makeFunctionReference } from 'convex/server';
import { ConvexError, v } from 'convex/values';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { convexTest } from '../../../src/embedded-convex/testing/convex-test.ts';
import { NoteError } from './functions/notes.ts';
import schema from './functions/schema.ts';

const modules = {
  './functions/_generated/api.js': () => Promise.resolve({}),
  './functions/notes.ts': () => import('./functions/notes.ts'),
  './functions/home.ts': async () => ({ default: (await import('./functions/notes.ts')).list }),
  './functions/broken.ts': () => Promise.reject(new Error('does not load')),
  './functions/notes.test.ts': () => Promise.reject(new Error('no module of functions')),
};

const query = (name: string) => makeFunctionReference<'query'>(name);
const mutation = (name: string) => makeFunctionReference<'mutation'>(name);
const action = (name: string) => makeFunctionReference<'action'>(name);
const backend = () => convexTest(schema, modules);

describe('what a function throws', () => {
  test('reaches the test as the very same error, and nothing was written', async () => {
    const t = backend();
    await expect(t.mutation(mutation('notes:refuse'))).rejects.toBeInstanceOf(NoteError);
    expect(await t.query(query('notes:list'))).toEqual([]);
    const thrown = new Error('inline');
    const rejected = t.run(() => Promise.reject(thrown));
    await expect(rejected).rejects.toBe(thrown);
  });

  test('keeps its data', async () => {
    const error: unknown = await backend()
      .mutation(mutation('notes:refuseWithData'))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConvexError);
    expect(error).toHaveProperty('data', { code: 'refused', count: 1n });
  });

  test('is not what a function inside threw and another one caught', async () => {
    await expect(backend().mutation(mutation('notes:survive'))).rejects.toThrow(
      /^Return value validation failed: ReturnsValidationError/,
    );
  });

  test('by the engine has the words of convex-test and of Convex', async () => {
    await expect(backend().mutation(mutation('notes:add'), { text: 1 })).rejects.toThrow(
      /^Validator error: ArgumentValidationError: Value does not match validator/,
    );
  });
});

describe('modules', () => {
  test('that do not load fail those who call into them, and nobody else', async () => {
    const t = backend();
    await expect(t.query(query('broken:any'))).rejects.toThrow('does not load');
    expect(await t.query(query('home'))).toEqual([]);
    await expect(t.query(query('notes:none'))).rejects.toThrow(
      "Could not find public function for 'notes:none'",
    );
  });

  test('without a _generated folder are refused', () => {
    expect(() => convexTest(schema, {})).toThrow('No "_generated" folder');
  });

  test('are looked for in the project when none are given', () => {
    expect(() => convexTest(schema)).not.toThrow();
  });
});

describe('schemas', () => {
  test('that Convex would not accept are refused at once', () => {
    const reserved = defineSchema({ _notes: defineTable({ text: v.string() }) });
    expect(() => convexTest(reserved, modules)).toThrow('reserved table name');
    const hidden = defineSchema({ notes: defineTable({ _text: v.string() }) });
    expect(() => convexTest(hidden, modules)).toThrow('begins with an underscore');
    const hyphen = defineSchema({ notes: defineTable({ 'a-b': v.string() }) });
    expect(() => convexTest(hyphen, modules)).toThrow("invalid character '-'");
  });
});

describe('scheduled functions', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("run when the test's clock gets there, and not before", async () => {
    vi.useFakeTimers();
    const t = backend();
    await t.mutation(mutation('notes:addLater'), { text: 'late', delayMs: 1000 });
    vi.advanceTimersByTime(999);
    await t.finishInProgressScheduledFunctions();
    expect(await t.query(query('notes:list'))).toEqual([]);
    vi.advanceTimersByTime(1);
    await t.finishInProgressScheduledFunctions();
    expect(await t.query(query('notes:list'))).toEqual(['late']);
  });

  test('are waited for until none is left', async () => {
    vi.useFakeTimers();
    const t = backend();
    for (const delayMs of [0, 3_600_000, 5]) {
      await t.mutation(mutation('notes:addLater'), { text: `${delayMs}`, delayMs });
    }
    await t.finishAllScheduledFunctions(() => vi.runAllTimers());
    expect((await t.query(query('notes:list'))).toSorted()).toEqual(['0', '3600000', '5']);
  });

  test('that the real clock has not reached are left alone', async () => {
    const t = backend();
    await t.mutation(mutation('notes:addLater'), { text: 'never', delayMs: 100_000 });
    vi.useFakeTimers();
    await t.finishAllScheduledFunctions(() => vi.runAllTimers());
    expect(await t.query(query('notes:list'))).toEqual([]);
  });
});

describe('callers', () => {
  test('are who the test says, and the same attributes are the same person', async () => {
    const t = backend();
    expect(await t.query(query('notes:whoAmI'))).toBeNull();
    const ann = { name: 'Ann' };
    const first: unknown = await t.withIdentity(ann).query(query('notes:whoAmI'));
    expect(first).toMatch(/^https:\/\/convex\.test\|/);
    expect(await t.withIdentity(ann).query(query('notes:whoAmI'))).toBe(first);
    const given = { issuer: 'https://a.example', subject: 's' };
    expect(await t.withIdentity(given).query(query('notes:whoAmI'))).toBe('https://a.example|s');
  });

  test('have an address, a browser and a token, also in what their functions call', async () => {
    const t = backend()
      .withRequestMetadata({ ip: '192.0.2.1', userAgent: 'test' })
      .withIdentity({ subject: 's', givenName: 'Ann' });
    const { authToken, ...request } = await t.action(action('notes:request'));
    expect(request).toMatchObject({
      ip: '192.0.2.1',
      userAgent: 'test',
      scheduledFunctionId: null,
    });
    const [, payload = ''] = String(authToken).split('.');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual({
      iss: 'https://convex.test',
      sub: 's',
      given_name: 'Ann',
    });
  });
});

test('limits are those that the test sets', async () => {
  const t = convexTest({ schema, modules, transactionLimits: { documentsWritten: 1 } });
  const insertTwo = t.run(async ({ db }) => {
    await db.insert('notes', { text: '1' });
    await db.insert('notes', { text: '2' });
  });
  await expect(insertTwo).rejects.toThrow(/^Wrote too many documents: Too many writes/);
});

test('a handler may wait for what happens outside', async () => {
  const outside = new Promise((resolve) => setTimeout(resolve, 5));
  const slow = backend().run(async ({ db }) => {
    await outside;
    await db.insert('notes', { text: 'slow' });
    return db.query('notes').collect();
  });
  expect(await slow).toMatchObject([{ text: 'slow' }]);
});

describe('fetch and timers', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test('are refused in queries and mutations', async () => {
    const t = backend();
    await expect(t.query(() => fetch('https://example.com'))).rejects.toThrow(
      "`fetch` is not supported in Convex queries or mutations: Can't use fetch()",
    );
    const timer = t.mutation(async () => void setTimeout(() => {}, 1));
    await expect(timer).rejects.toThrow('`setTimeout` is not supported');
  });

  test('are in actions and outside what the test has put there', async () => {
    const t = backend();
    await t.query(() => Promise.resolve(null));
    const stub = vi.fn(() => Promise.resolve(new Response('stubbed')));
    vi.stubGlobal('fetch', stub);
    const text = await t.action(async () => (await fetch('https://example.com')).text());
    expect(text).toBe('stubbed');
    expect(fetch).toBe(stub);
    await expect(t.query(() => fetch('https://example.com'))).rejects.toThrow('`fetch` is not');
    expect(stub).toHaveBeenCalledTimes(1);
  });

  test('may be replaced by a function for itself', async () => {
    const t = backend();
    const own = await t.query(async () => {
      globalThis.fetch = () => Promise.resolve(new Response('own'));
      return (await fetch('https://example.com')).text();
    });
    expect(own).toBe('own');
    await expect(t.query(() => fetch('https://example.com'))).rejects.toThrow('`fetch` is not');
  });
});

test('both implementations work in one process, call by call', async () => {
  const ours = backend();
  const theirs = officialConvexTest(schema, modules);
  const texts = Array.from({ length: 50 }, (_, at) => `${at}`);
  const descriptors = new Set<unknown>();
  for (const text of texts) {
    await theirs.mutation(mutation('notes:add'), { text });
    await ours.mutation(mutation('notes:add'), { text });
    const accessor = Object.getOwnPropertyDescriptor(globalThis, 'fetch') ?? {};
    descriptors.add(Reflect.get(accessor, 'set'));
  }
  expect(await ours.query(query('notes:list'))).toEqual(texts);
  expect(await theirs.query(query('notes:list'))).toEqual(texts);
  // They do not go on putting themselves around each other.
  expect(descriptors.size).toBe(1);
});

test('says what it has not', async () => {
  const t = backend();
  expect(() => t.registerComponent('c', schema, modules)).toThrow('no components');
  await expect(t.fetch('/')).rejects.toThrow('no HTTP actions');
});
