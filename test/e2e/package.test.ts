/** The published package: packed, put where npm would put it, and run from there. */
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = z
  .object({
    name: z.string(),
    version: z.string(),
    dependencies: z.record(z.string(), z.string()),
    exports: z
      .record(
        z.string(),
        z.union([z.string(), z.object({ types: z.string(), default: z.string() })]),
      )
      .transform((all) => Object.values(all).filter((entry) => typeof entry !== 'string')),
  })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

let folder: ReturnType<typeof temporaryFolder>;
/** Where npm would have put the package. */
let installed: string;
let cli: string;

beforeAll(async () => {
  folder = temporaryFolder();
  installed = join(folder.path, 'node_modules', manifest.name);
  cli = join(installed, 'dist', 'src', 'cli.js');
  // `npm pack` builds first.
  await execa('npm', ['pack', '--silent', '--pack-destination', folder.path], { cwd: root });
  mkdirSync(installed, { recursive: true });
  const tarball = join(folder.path, `${manifest.name}-${manifest.version}.tgz`);
  await execa('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed]);
  // Only what the manifest names, so that nothing else can be what makes it work.
  for (const dependency of Object.keys(manifest.dependencies)) {
    const link = join(folder.path, 'node_modules', dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', dependency), link, 'junction');
  }
});

afterAll(() => folder[Symbol.dispose]());

test('it holds JavaScript to run, and TypeScript only of the functions to deploy', () => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  const typeScript = files.filter((file) => /(?<!\.d)\.tsx?$/.test(file));
  expect(typeScript.filter((file) => !file.startsWith('convex'))).toEqual([]);
  expect(typeScript).toContain(join('convex', 'schema.ts'));
  expect(files).toContain(join('convex', '_generated', 'api.js'));
  for (const { types, default: program } of manifest.exports) {
    expect(files).toContain(normalize(types));
    expect(files).toContain(normalize(program));
  }
});

test('its command runs the daemon: a session line reaches an official client', async () => {
  const { stdout } = await execa(process.execPath, [cli, '--version']);
  expect(stdout).toBe(manifest.version);

  const session = createSession(join(folder.path, 'codex'));
  session.user('seen by the published package');
  await using daemon = await startDaemonProcess({ folder: folder.path, cli });
  await using app = subscribe(daemon);
  const shows = (text: string) =>
    app.messages(session.threadId, (rows) => rows.some((row) => row.text === text));
  await shows('seen by the published package');
  session.assistant('and as it grows');
  await shows('and as it grows');
  expect(daemon.log.filter(({ level }) => (level ?? 0) >= 50)).toEqual([]);
});

test('its client of the control protocol is imported by name', async () => {
  const program = `
    import { connectBridge } from '${manifest.name}/control';
    import { bridgeStatusFrame } from '${manifest.name}/control/frames';
    console.log(typeof connectBridge, typeof bridgeStatusFrame.parse);`;
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder.path,
  });
  expect(stdout).toBe('function function');
});

test('its clients are typed, in Node and in browsers, and pair with its daemon', async () => {
  using project = temporaryFolder();
  mkdirSync(join(project.path, 'node_modules'));
  symlinkSync(installed, join(project.path, 'node_modules', manifest.name), 'junction');
  writeFileSync(join(project.path, 'package.json'), '{"type":"module"}');
  writeFileSync(join(project.path, 'phone.ts'), PHONE);
  const kinds = {
    node: { module: 'nodenext', types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
    browser: { module: 'esnext', moduleResolution: 'bundler', types: [], lib: ['esnext', 'dom'] },
  };
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  for (const [kind, options] of Object.entries(kinds)) {
    const compilerOptions = { strict: true, target: 'esnext', noEmit: true, ...options };
    const config = join(project.path, `tsconfig.${kind}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files: ['phone.ts'] }));
    await execa(tsc, ['-p', config], { cwd: project.path });
  }
  await using daemon = await startDaemonProcess({
    folder: folder.path,
    cli,
    env: { OPENAGENTS_BIND: '0.0.0.0:0', OPENAGENTS_CONVEX_INTERFACE: '0.0.0.0' },
  });
  const url = daemon.controlUrl.replace('0.0.0.0', '127.0.0.1');
  const phone = join(project.path, 'phone.ts');
  const { stdout } = await execa(process.execPath, [phone, url, daemon.token]);
  expect(stdout.split('\n')).toEqual(['paired, and told of it', 'bridge.echo hello', 'not_found']);
});

test('its facade stands in for convex-test by an alias alone', async () => {
  using project = temporaryFolder();
  const modules = join(project.path, 'node_modules');
  mkdirSync(modules);
  symlinkSync(installed, join(modules, manifest.name), 'junction');
  for (const name of ['convex', 'vitest', '@edge-runtime']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  for (const [path, text] of Object.entries(APPLICATION)) {
    mkdirSync(dirname(join(project.path, path)), { recursive: true });
    writeFileSync(join(project.path, path), text);
  }
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const report = join(project.path, 'report.json');
  const reporting = ['--reporter=json', `--outputFile=${report}`];
  await execa(process.execPath, [vitest, 'run', ...reporting], {
    cwd: project.path,
    reject: false,
  });
  expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({
    success: true,
    testResults: [
      { assertionResults: [{ title: 'says hello' }, { title: 'by the given modules' }] },
    ],
  });
});

/** Somebody's app: what is wrong in it does not compile, and what is right runs. */
const PHONE = `
  import { connectBridge, ControlFailure, type EventOf } from '${manifest.name}/control';
  import { pairBridge, type PairedBridge } from '${manifest.name}/control/pair';
  import { runFrame } from '${manifest.name}/control/frames';

  declare const process: { argv: string[] };
  const [url = '', token = ''] = process.argv.slice(2);
  const desk = await connectBridge({ url, token });
  const told = new Promise<EventOf<'bridge.client_paired'>>((resolve) =>
    desk.on('bridge.client_paired', resolve),
  );
  const { pairingId, addresses } = await desk.request('pair.open');
  const paired: PairedBridge = await pairBridge(addresses[0]?.link ?? '');
  if ((await told).pairingId === pairingId) console.log('paired, and told of it');
  const phone = await connectBridge(paired);
  const reply = await phone.request('echo', { tag: 'hello' });
  const tag: string | undefined = reply.tag;
  console.log(reply.type, tag);
  try {
    await phone.request('run.submit', { threadDocId: 'nobody', text: 'hello' });
  } catch (error) {
    if (error instanceof ControlFailure) console.log(error.code);
  }
  // @ts-expect-error -- there is no such verb
  const wrongVerb = () => phone.request('run.start');
  // @ts-expect-error -- a run needs a text
  const wrongFields = () => phone.request('run.submit', { threadDocId: 'x' });
  // @ts-expect-error -- a status is no number
  const wrongReply = async () => (await phone.request('bridge.status')).version satisfies number;
  const states: readonly string[] = runFrame.shape.state.options;
  void [wrongVerb, wrongFields, wrongReply, states];
  phone.close();
  desk.close();
`;

/** Somebody's project with tests written for `convex-test`. */
const APPLICATION = {
  'package.json': '{"type":"module"}',
  'vitest.config.js': `export default {
    resolve: { alias: { 'convex-test': '${manifest.name}/embedded-convex/testing' } },
    test: { environment: 'edge-runtime', server: { deps: { inline: ['${manifest.name}', 'convex-test'] } } },
  };`,
  'convex/schema.ts': `
    import { defineSchema, defineTable } from 'convex/server';
    import { v } from 'convex/values';
    export default defineSchema({ guests: defineTable({ name: v.string() }) });`,
  'convex/_generated/api.js': `
    import { anyApi } from 'convex/server';
    export const api = anyApi;`,
  'convex/guests.ts': `
    import { mutationGeneric, queryGeneric } from 'convex/server';
    export const add = mutationGeneric(({ db }, guest: { name: string }) => db.insert('guests', guest));
    export const hello = queryGeneric(async ({ db }) =>
      (await db.query('guests').collect()).map(({ name }) => 'hello ' + name));`,
  'guests.test.ts': `
    import { convexTest } from 'convex-test';
    import { expect, test } from 'vitest';
    import { api } from './convex/_generated/api.js';
    import schema from './convex/schema.ts';
    test('says hello', async () => {
      const t = convexTest(schema);
      await t.mutation(api.guests.add, { name: 'Ada' });
      expect(await t.query(api.guests.hello)).toEqual(['hello Ada']);
    });
    test('by the given modules', async () => {
      const t = convexTest(schema, import.meta.glob('./convex/**/*.*s'));
      await t.mutation(api.guests.add, { name: 'Grace' });
      await expect(t.mutation(api.guests.add, { name: 1 })).rejects.toThrow('name');
      expect(await t.query(api.guests.hello)).toEqual(['hello Grace']);
    });`,
};
