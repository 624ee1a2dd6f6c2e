/**
 * The embedded backend's own program on a disk of 2 MiB that is nearly full: nothing is left but
 * what a file beside the database takes up. Each line on standard input sets that file's size in
 * KiB. Arguments: the folder where the disk is, then the program's.
 */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [folder = ''] = process.argv.splice(2, 1);
const filler = join(folder, 'filler');

createInterface({ input: process.stdin }).on('line', (kibibytes) => {
  const size = Number(kibibytes) * 1024;
  try {
    truncateSync(filler, 0);
  } catch {
    // The first time there is none.
  }
  try {
    writeFileSync(filler, Buffer.alloc(size));
  } catch {
    // Everything that there was is taken.
  }
  process.stdout.write(`filled ${kibibytes}\n`);
});

await import('../../../../src/embedded-convex/main.ts');
