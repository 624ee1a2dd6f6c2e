/**
 * Loaded before a program (`--import`): at SIGUSR2 it takes the file `FAILPOINT`, which says where
 * it is to fail once. `rejection`: a promise that nobody waits for; else a part of the path of a
 * source file: the next look at the clock from there throws, as a mistake there would.
 */
import { readFileSync, rmSync } from 'node:fs';

const file = process.env['FAILPOINT'] ?? '';
const rightNow = Date.now.bind(Date);
let place: string | null = null;

process.on('SIGUSR2', () => {
  const wanted = readFileSync(file, 'utf8');
  rmSync(file);
  if (wanted === 'rejection') void Promise.reject(new Error('failpoint: rejection'));
  else place = wanted;
});

Date.now = () => {
  if (place !== null && (new Error().stack ?? '').includes(place)) {
    const failed = place;
    place = null;
    throw new Error(`failpoint: ${failed}`);
  }
  return rightNow();
};
