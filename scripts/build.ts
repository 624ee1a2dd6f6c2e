/**
 * `npm run build`: what the package publishes, in `dist/`.
 *
 * `dist/` mirrors the repository (`src/`, `convex/`, `package.json`), so that every relative
 * path means the same in both. Node runs no TypeScript below node_modules, so the bridge's
 * own functions are bundled to `dist/functions.js`; `convex/` itself is published for those
 * who deploy it.
 */
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import manifest from '../package.json' with { type: 'json' };
import { bundlePage } from '../src/inspector-server/bundle-page.ts';
import { bundleFunctions } from '../src/embedded-convex/runtime/bundle.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
for (const project of ['tsconfig.build.json', 'tsconfig.types.json']) {
  await execa('tsc', ['-p', project], { cwd: root, preferLocal: true, stdio: 'inherit' });
}
// JavaScript already, with types that the compiler only reads.
cpSync(join(root, 'convex', '_generated'), join(dist, 'convex', '_generated'), {
  recursive: true,
});
writeFileSync(join(dist, 'functions.js'), await bundleFunctions(join(root, 'convex')));
const page = join(dist, 'inspector');
mkdirSync(page);
for (const [file, content] of await bundlePage(join(root, 'src', 'inspector'))) {
  writeFileSync(join(page, file), content);
}
const { name, version, type } = manifest;
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ name, version, type }, null, 2)}\n`);
// npm does so when it installs; this is for who runs it from here.
chmodSync(join(dist, 'src', 'cli.js'), 0o755);
