import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConvexClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { spawnMain } from './support/backend-process.ts';
import type { BackendProcess } from './support/backend-process.ts';
import { imports, writeFunctions } from './support/functions-folder.ts';
import { functionRequest, openTestExecutor, valueOf } from './support/test-executor.ts';
import { watch } from './support/values-seen.ts';
import { bundleFunctions } from '../../src/embedded-convex/runtime/bundle.ts';

const greeting = makeFunctionReference<'query', Record<string, never>, string>('f:greeting');
const add = makeFunctionReference<'mutation', { name: string }, null>('f:add');

const greet = (text: string) => `${imports}
export const greeting = query({
  args: {},
  handler: async ({ db }) => ${text} + ' ' + (await db.query('guests').collect()).length,
});
export const add = mutation({
  args: { name: v.string() },
  handler: async ({ db }, guest) => { await db.insert('guests', guest); return null; },
});`;

interface Watched extends AsyncDisposable {
  folder: string;
  functions: string;
  backend: BackendProcess;
  client: ConvexClient;
  seen: ReturnType<typeof watch<typeof greeting>>;
  /** Puts a file of the functions in its place at once: no version has half of it. */
  write(name: string, text: string): void;
}

async function startWatched(files: Record<string, string>): Promise<Watched> {
  const folder = temporaryFolder();
  const functions = writeFunctions(folder.path, files);
  const database = join(folder.path, 'data.sqlite');
  const backend = spawnMain('--db', database, '--functions', functions, '--watch');
  const { url } = await backend.ready;
  const client = new ConvexClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
  const seen = watch(client, greeting, {});
  await seen.until(() => true);
  return {
    folder: folder.path,
    functions,
    backend,
    client,
    seen,
    write: (name, text) => {
      writeFileSync(join(folder.path, 'new'), text);
      renameSync(join(folder.path, 'new'), join(functions, name));
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await backend[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

test('an edited function shows on subscribers once, and their connection stays', async () => {
  await using watched = await startWatched({ 'f.ts': greet(`'hello'`) });
  watched.write('f.ts', greet(`'welcome'`));
  await watched.seen.until((value) => value === 'welcome 0');
  await watched.client.mutation(add, { name: 'Ada' });
  await watched.seen.until((value) => value === 'welcome 1');
  expect(watched.seen.values).toEqual(['hello 0', 'welcome 0', 'welcome 1']);
  expect(watched.client.connectionState()).toMatchObject({
    connectionCount: 1,
    connectionRetries: 0,
  });
});

test('what does not compile or load is told with its place, once, and the version before serves', async () => {
  await using watched = await startWatched({ 'f.ts': greet(`'hello'`) });
  watched.write('f.ts', 'export const = 1;');
  expect(await watched.backend.line('do not compile')).toContain('f.ts:1');
  watched.write('f.ts', `${greet(`'never'`)}\nthrow new Error('at the top');`);
  expect(await watched.backend.line('at the top')).toContain('go on being served');
  await watched.client.mutation(add, { name: 'Ada' });
  await watched.seen.until((value) => value === 'hello 1');
  // Back to what is served: that is a change as well.
  watched.write('f.ts', greet(`'hello'`));
  await watched.backend.line('are served now');
  watched.write('f.ts', greet(`'mended'`));
  await watched.seen.until((value) => value === 'mended 1');
  expect(watched.seen.values).toEqual(['hello 0', 'hello 1', 'mended 1']);
});

test('a schema that the rows do not fit is refused, and one that they fit brings its index', async () => {
  await using watched = await startWatched({ 'f.ts': greet(`'hello'`) });
  await watched.client.mutation(add, { name: 'Ada' });
  const schema = (fields: string) => `
import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';
export default defineSchema({ guests: defineTable({ ${fields} }).index('by_name', ['name']) });`;
  watched.write('schema.ts', schema('name: v.number()'));
  expect(await watched.backend.line('does not match the schema')).toContain('guests');
  watched.write('schema.ts', schema('name: v.string()'));
  await watched.backend.line('are served now');
  const indexed = `(await db.query('guests').withIndex('by_name', (q) => q.eq('name', 'Ada')).first())?.name`;
  watched.write('f.ts', greet(indexed));
  await watched.seen.until((value) => value === 'Ada 1');
  await expect(
    watched.client.mutation(makeFunctionReference<'mutation'>('f:add'), { name: 'B' }),
  ).resolves.toBeNull();
});

test('files that are added, replaced, removed or lie beside the folder are followed', async () => {
  await using watched = await startWatched({
    'f.ts': `import { word } from '../words/word.ts';\n${greet('word')}`,
    '../words/word.ts': `export const word = 'one';`,
  });
  writeFileSync(join(watched.folder, 'words', 'word.ts'), `export const word = 'two';`);
  await watched.seen.until((value) => value === 'two 0');
  // As editors save: the file is written elsewhere and takes the place of the old one.
  for (const word of ['three', 'four']) {
    watched.write('../words/word.ts', `export const word = '${word}';`);
    await watched.seen.until((value) => value === `${word} 0`);
  }
  const later = makeFunctionReference<'query', Record<string, never>, string>('inner/g:later');
  writeFunctions(watched.folder, {
    'inner/g.ts': `${imports}export const later = query({ args: {}, handler: () => 'here' });`,
  });
  const seen = watch(watched.client, later, {});
  await seen.until((value) => value === 'here');
  rmSync(join(watched.functions, 'inner'), { recursive: true });
  await seen.until((value) => String(value).includes('Could not find public function'));
});

test('an action that runs ends as it began, and what it calls is of the version of that moment', async () => {
  const source = (version: string) => `
export const version = query({ args: {}, handler: () => '${version}' });
export const wait = action({ args: {}, handler: async ({ runQuery }) => {
  const until = await runQuery('f:version');
  while ((await runQuery('f:version')) === until) await new Promise((next) => setTimeout(next, 5));
  return ['${version}', await runQuery('f:version')];
} });`;
  await using test = await openTestExecutor(source('old'));
  const waiting = test.action('wait');
  expect(valueOf(await test.query('version'))).toBe('old');
  const before = test.executor.latestTs;
  const commits: unknown[] = [];
  test.executor.onCommit((commit) => commits.push(commit));
  const functions = writeFunctions(test.folder, { 'f.ts': imports + source('new') });
  await test.executor.reload(await bundleFunctions(functions));
  expect(valueOf(await waiting)).toEqual(['old', 'new']);
  expect(test.executor.latestTs).toBeGreaterThan(before);
  expect(commits).toEqual([{ ts: test.executor.latestTs, writes: [], newFunctions: true }]);
});

test('a thread that is started anew has the functions that were loaded last', async () => {
  const source = (version: string) => `
export const version = query({ args: {}, handler: () => '${version}' });
export const loop = query({ args: {}, handler: () => { for (;;); } });`;
  await using test = await openTestExecutor(source('old'), { limits: { transactionMs: 100 } });
  const functions = writeFunctions(test.folder, { 'f.ts': imports + source('new') });
  await test.executor.reload(await bundleFunctions(functions));
  const { results } = await test.executor.queries([
    { ...functionRequest('loop'), journal: null },
    { ...functionRequest('version'), journal: null },
  ]);
  expect(results.map(({ outcome }) => (outcome.ok ? outcome.value : 'failed'))).toEqual([
    'failed',
    '"new"',
  ]);
});
