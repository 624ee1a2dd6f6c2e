import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundleFunctions, loadFunctions } from '../../../src/embedded-convex/runtime/bundle.ts';
import { loadRealm } from '../../../src/embedded-convex/runtime/realm.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { imports, writeFunctions } from '../support/functions-folder.ts';

function parentFolder(): string {
  const temporary = temporaryFolder();
  onTestFinished(() => temporary[Symbol.dispose]());
  return temporary.path;
}

const one = `${imports}export const one = query(async () => 1);`;

test('the files that the official bundler would push become functions, the others do not', async () => {
  const folder = writeFunctions(parentFolder(), {
    'a.ts': `${one}\nexport default query(async () => 2);\nexport const plain = () => 3;`,
    'deep/er/b.js': one,
    '_generated/api.js': 'throw new Error("loaded")',
    '.hidden.ts': 'export const x = (',
    '#editor.ts': 'export const x = (',
    'a.test.ts': 'export const x = (',
    'auth.config.js.bak.ts': 'export const x = (',
    'with space.ts': 'export const x = (',
    'types.d.ts': 'export type X = (',
    'notes.ts': 'this is no module at all (',
    'readme.md': '(',
    'crons.ts': 'throw new Error("loaded"); export default 1;',
    'component/convex.config.ts': 'export const x = (',
    'component/c.ts': 'export const x = (',
  });
  const { functions } = loadRealm(await bundleFunctions(folder), {});
  const found = (path: string) => functions.find(path)?.path ?? null;
  expect(found('a:one')).toBe('a:one');
  expect(found('a.js:one')).toBe('a:one');
  expect(found('a')).toBe('a:default');
  expect(found('deep/er/b:one')).toBe('deep/er/b:one');
  expect([found('a:plain'), found('component/c:x'), found('crons')]).toEqual([null, null, null]);
});

test('a folder uses the convex package next to it before ours', async () => {
  const parent = parentFolder();
  const folder = writeFunctions(parent, {
    'f.ts': `import { queryGeneric as query } from 'convex/server'; export const f = query();`,
  });
  const own = join(parent, 'node_modules', 'convex');
  mkdirSync(own, { recursive: true });
  writeFileSync(
    join(own, 'package.json'),
    JSON.stringify({ name: 'convex', exports: { './server': './server.js' } }),
  );
  writeFileSync(
    join(own, 'server.js'),
    `export const queryGeneric = () => Object.assign(() => {}, {
      isQuery: true, isPublic: true, exportArgs: () => '{"type":"any"}', exportReturns: () => 'null',
      invokeQuery: async () => '"theirs"' });`,
  );
  const { functions } = loadRealm(await bundleFunctions(folder), {});
  expect(await functions.find('f:f')?.invoke('[{}]')).toBe('"theirs"');
});

test('a bundle in a file serves without the folder it was made from', async () => {
  const parent = parentFolder();
  const bundleFile = join(parent, 'bundle.js');
  writeFileSync(bundleFile, await bundleFunctions(writeFunctions(parent, { 'a.ts': one })));
  const { functions } = loadRealm(await loadFunctions({ bundleFile }), {});
  expect(await functions.find('a:one')?.invoke('[{}]')).toBe('1');
});

const unusable: [string, Record<string, string>, RegExp][] = [
  [
    'a syntax error',
    { 'a.ts': 'export const x = (;' },
    /do not compile:\na\.ts:1:19: Unexpected ";"/,
  ],
  [
    'an import that leads nowhere',
    { 'a.ts': 'import "./nothing";' },
    /a\.ts:1:8: Could not resolve/,
  ],
  ['"use node"', { 'a.ts': `"use node";\n${one}` }, /a asks for the Node\.js runtime/],
  ['a schema file without default export', { 'schema.ts': 'export const x = 1;' }, /default/],
];

test.for(unusable)('%s is refused with its place and a code', async ([, files, message]) => {
  const folder = writeFunctions(parentFolder(), files);
  await expect(bundleFunctions(folder)).rejects.toThrow(
    expect.objectContaining({ code: 'FunctionsInvalid', message: expect.stringMatching(message) }),
  );
});

test('a folder or bundle that does not exist is refused with its path', async () => {
  const missing = join(parentFolder(), 'missing');
  const failure = expect.objectContaining({
    code: 'FunctionsInvalid',
    message: expect.stringContaining(missing),
  });
  await expect(loadFunctions({ folder: missing })).rejects.toThrow(failure);
  await expect(loadFunctions({ bundleFile: missing })).rejects.toThrow(failure);
});
