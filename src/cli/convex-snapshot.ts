/** `oa-bridge convex export` and `import`: the data of the embedded backend, in Convex's own layout. */
import type { Config } from '../config.ts';
import { exportSnapshot, importSnapshotFile } from '../move-convex.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export async function exportConvex(config: Config, file: string): Promise<ExitCode> {
  const bytes = await exportSnapshot(config, file);
  console.log(`${file} holds all data of ${config.convexDb}  (${bytes} bytes).`);
  return EXIT.done;
}

export async function importConvex(
  config: Config,
  file: string,
  replace: boolean,
): Promise<ExitCode> {
  const { tables, replaced } = await importSnapshotFile(config, file, replace);
  const counts = Object.entries(tables).map(([name, documents]) => `${name} ${documents}`);
  console.log(`${config.convexDb} now holds: ${counts.join(', ') || 'nothing'}.`);
  if (replaced !== null) console.log(`What it held before is in ${replaced}.`);
  return EXIT.done;
}
