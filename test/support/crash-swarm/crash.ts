/** One way to lose the backend, drawn from the seed. */
import type { SeededRandom } from './seeded-random.ts';

export type Crash =
  /** kill -9 from outside, `delayMs` after so many answers; -1 answers: that long after its start. */
  | { kind: 'kill'; answers: number; delayMs: number }
  /** At a failpoint, perhaps with a wrong clock; `plan` as failpoints.ts reads it. */
  | { kind: 'failpoint'; plan: string };

export function drawCrash(random: SeededRandom): Crash {
  const draw = random.next();
  // In the middle of its start: of opening the file, of recovering it.
  if (draw < 0.1) return { kind: 'kill', answers: -1, delayMs: random.between(0, 600) };
  if (draw < 0.45) {
    return { kind: 'kill', answers: random.between(0, 40), delayMs: random.next() * 5 };
  }
  const isCommit = draw < 0.75;
  const plan = new URLSearchParams({
    text: isCommit ? 'COMMIT' : '',
    // About 20 statements make up a mutation.
    number: String(isCommit ? random.between(1, 30) : random.between(1, 500)),
    when: random.pick(['before', 'after']),
    // An hour or a day back, or forth: then the next one's clock is behind.
    clock: String(random.pick([0, -3_600_000, -86_400_000, 3_600_000])),
    step: String(random.pick([0, -60_000, -3_600_000])),
  });
  return { kind: 'failpoint', plan: plan.toString() };
}
