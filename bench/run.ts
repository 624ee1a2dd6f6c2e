/**
 * `npm run bench [name…]`: every benchmark, each against a yardstick measured in the
 * same run, because absolute figures say more about the machine than about us.
 */
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const BENCHMARKS = [
  'latency',
  'first-token',
  'ingest',
  'pressure',
  'secrets',
  'broadcast',
  'mutations',
  'idle',
  'memory',
  'library',
  'inspection',
  'backend',
] as const;

/** What a benchmark found: figures by name, in the order in which they are to be read. */
export type Figures = Record<string, string>;

const wanted = process.argv.slice(2);
await execa(process.execPath, [fileURLToPath(new URL('../scripts/build.ts', import.meta.url))], {
  preferLocal: true,
});
console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
);
for (const name of BENCHMARKS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { measure }: { measure: () => Promise<Figures> } = await import(`./${name}.ts`);
  console.log(`\n${name}`);
  for (const [figure, value] of Object.entries(await measure())) {
    console.log(`  ${figure.padEnd(44)} ${value}`);
  }
}
process.exit(0);
