/**
 * The embedded backend dies again and again under the writes of official clients. A few rounds
 * of a fixed seed; `npm run test:crash` does 500 of a new one. `CRASH_SEED` replays what
 * it printed (which dies at the same places, at slightly other times), `CRASH_ROUNDS` sets how often.
 */
import { expect, test } from 'vitest';
import { SeededRandom } from '../support/crash-swarm/seeded-random.ts';
import { runSwarm } from '../support/crash-swarm/swarm.ts';
import { freePort } from '../support/ports.ts';

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 8);
const SEED = Number(
  process.env['CRASH_SEED'] ?? (ROUNDS > 8 ? Math.floor(Math.random() * 2 ** 32) : 20_261_123),
);
/** So that looking at everything after each round stays quick. */
const ROUNDS_PER_DATABASE = 10;
/** Backends beside each other: a part of each round is waiting. */
const LANES = 2;

test(
  `${ROUNDS} crashes at any instant lose and double no acknowledged mutation, and tear none`,
  { timeout: 60_000 + ROUNDS * 10_000 },
  async () => {
    console.log(`CRASH_SEED=${SEED} CRASH_ROUNDS=${ROUNDS}`);
    const lanes = Array.from({ length: LANES }, async (_, lane) => runLane(lane));
    const acknowledged = await Promise.all(lanes);
    // Each round is spent with writing.
    expect(Math.min(...acknowledged)).toBeGreaterThan(ROUNDS / LANES);
    console.log(`${acknowledged.reduce((sum, count) => sum + count)} mutations acknowledged`);
  },
);

/** Its share of the rounds; resolves to the number of mutations that were acknowledged. */
async function runLane(lane: number): Promise<number> {
  const random = new SeededRandom(SEED + lane);
  const share = Math.ceil((ROUNDS - lane) / LANES);
  let acknowledged = 0;
  for (let done = 0; done < share; done += ROUNDS_PER_DATABASE) {
    const rounds = Math.min(ROUNDS_PER_DATABASE, share - done);
    const result = await runSwarm({ random, rounds, port: await freePort() });
    expect(result.problems).toEqual([]);
    acknowledged += result.acknowledged;
    if (ROUNDS > 100) console.log(`lane ${lane}: ${done + rounds} of ${share} rounds`);
  }
  return acknowledged;
}
