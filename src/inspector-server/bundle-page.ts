/** The inspector's page from its sources, as `npm run build` publishes it and the repository serves it. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

export type PageFiles = ReadonlyMap<string, string>;

/** What is bundled and wants its licence to go along. */
const BUNDLED = ['elkjs', 'react', 'react-dom', 'scheduler', 'zod'];

/** @param sources `src/inspector` */
export async function bundlePage(sources: string): Promise<PageFiles> {
  const { outputFiles } = await build({
    entryPoints: [join(sources, 'main.tsx'), join(sources, 'style.css')],
    bundle: true,
    minify: true,
    write: false,
    outdir: sources,
    format: 'esm',
    target: 'es2024',
    jsx: 'automatic',
    legalComments: 'none',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const bundled = outputFiles.map(({ path, text }): [string, string] => [
    path.slice(sources.length + 1),
    text,
  ]);
  const fromSources = createRequire(join(sources, 'main.tsx'));
  return new Map([
    ['index.html', readFileSync(join(sources, 'index.html'), 'utf8')],
    ...bundled,
    // Laying out a chart takes long enough to be felt, so it has a thread.
    ['elk-worker.js', readFileSync(fromSources.resolve('elkjs/lib/elk-worker.min.js'), 'utf8')],
    ['licenses.txt', licenses(fromSources)],
  ]);
}

function licenses(require: NodeJS.Require): string {
  return BUNDLED.map((name) => {
    const folder = dirname(require.resolve(`${name}/package.json`));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8');
    return `${name}\n${'='.repeat(name.length)}\n\n${text.trim()}\n`;
  }).join('\n\n');
}
