import { randomFillSync } from 'node:crypto';

/** Four numbers of 32 bits. */
export type Seed = Uint32Array;

export function newSeed(): Seed {
  return randomFillSync(new Uint32Array(4));
}

/** For a function that another one calls: it follows from the caller's numbers alone. */
export function seedFrom(random: () => number): Seed {
  return Uint32Array.from({ length: 4 }, () => random() * 2 ** 32);
}

/**
 * Numbers from 0 to 1 with 32 bits each, as `Math.random` gives them: sfc32 of Chris
 * Doty-Humphrey's PractRand, which is small, fast and passes its test suite.
 */
export function seededRandom([a = 0, b = 0, c = 0, counter = 1]: Seed): () => number {
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first outputs still show the seed.
  for (let round = 0; round < 12; round += 1) next();
  return next;
}
