/** Two measurements in turns, so that what else the machine does meets both alike. */
import { percentile } from '../percentile.ts';
import { elapsed } from './served.ts';

/** Median ms of a turn of each. */
export async function alternate(
  turns: number,
  first: (turn: number) => unknown,
  second: (turn: number) => unknown,
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  // The first turns warm up.
  for (let turn = -WARM_UP; turn < turns; turn += 1) {
    const pair = [await elapsed(() => first(turn)), await elapsed(() => second(turn))] as const;
    if (turn < 0) continue;
    times[0].push(pair[0]);
    times[1].push(pair[1]);
  }
  return [percentile(times[0], 0.5), percentile(times[1], 0.5)];
}

export const WARM_UP = 3;
