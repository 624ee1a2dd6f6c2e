import { expect, onTestFinished, test } from 'vitest';
import { bundleFunctions } from '../../../src/embedded-convex/runtime/bundle.ts';
import { loadRealm } from '../../../src/embedded-convex/runtime/realm.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { imports, writeFunctions } from '../support/functions-folder.ts';

async function load(files: Record<string, string>) {
  const temporary = temporaryFolder();
  onTestFinished(() => temporary[Symbol.dispose]());
  return loadRealm(await bundleFunctions(writeFunctions(temporary.path, files)), {});
}

test('the schema is exported as convex/server writes it, null without a schema file', async () => {
  const schema = `import { defineSchema, defineTable } from 'convex/server';
    import { v } from 'convex/values';
    export default defineSchema({ a: defineTable({ n: v.number() }).index('by_n', ['n']) });`;
  expect((await load({ 'schema.ts': schema })).schema).toMatchObject({
    tables: [{ tableName: 'a', indexes: [{ indexDescriptor: 'by_n', fields: ['n'] }] }],
    schemaValidation: true,
  });
  expect((await load({ 'a.ts': 'export const x = 1;' })).schema).toBeNull();
});

test('code that throws while it loads is reported with the place in its source', async () => {
  const files = {
    'a.ts': `\nconst limit: number = 1;\nthrow new RangeError('no ' + limit);\nexport {};`,
  };
  await expect(load(files)).rejects.toThrow(
    expect.objectContaining({
      code: 'FunctionsInvalid',
      message: expect.stringMatching(
        /cannot be loaded: Uncaught RangeError: no 1\n {4}at .*\.\.\/convex\/a\.ts:3:7/,
      ),
    }),
  );
});

test('top-level code can use neither the database nor the network', async () => {
  const files = (call: string) => ({ 'a.ts': `${imports} ${call}; export const x = 1;` });
  await expect(load(files(`Convex.syscall('1.0/queryStream', '{}')`))).rejects.toThrow(
    /cannot use the database while their file is loaded/,
  );
  await expect(load(files('setTimeout(() => {}, 1)'))).rejects.toThrow(/Can't use setTimeout/);
});

test('a schema that is not made with defineSchema is refused', async () => {
  await expect(load({ 'schema.ts': 'export default { tables: {} };' })).rejects.toThrow(
    /schema file is not made with defineSchema/,
  );
});

test('a validator that is undefined is reported with its function', async () => {
  const broken = `${imports} let later; export const f = query({ args: { a: later }, handler: () => 1 });`;
  await expect(load({ 'a.ts': broken })).rejects.toThrow(
    /the validator of a:f cannot be used: Error: A validator is undefined/,
  );
});

test('a bundle of something else is refused', () => {
  expect(() => loadRealm('var x = 1;', {})).toThrow(/does not define convexFunctions/);
});
