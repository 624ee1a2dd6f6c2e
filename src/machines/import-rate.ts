/** How fast an import goes, from its latest numbers. Pure. */

export interface RateSample {
  /** Milliseconds since the epoch. */
  at: number;
  /** Done by then. */
  bytes: number;
}

/** Milliseconds. Long enough to be steady over files of all sizes, short enough to follow a change. */
const WINDOW = 10_000;
/** Milliseconds between samples: some twenty of them are kept. */
const SPACING = 500;
/** Milliseconds. What is told of less is a guess. */
const MIN_SPAN = 1_000;

export function withSample(samples: readonly RateSample[], sample: RateSample): RateSample[] {
  const last = samples.at(-1);
  // The clock was set back: what was measured before it says nothing.
  if (last !== undefined && sample.at < last.at) return [sample];
  if (last !== undefined && sample.at - last.at < SPACING) return [...samples];
  const recent = samples.filter(({ at }) => sample.at - at <= WINDOW);
  return [...recent, sample];
}

/** Bytes per second; null while that cannot be told. */
export function rateOf(samples: readonly RateSample[], now: RateSample): number | null {
  const [first] = samples;
  if (first === undefined || now.at - first.at < MIN_SPAN) return null;
  return Math.round(((now.bytes - first.bytes) * 1_000) / (now.at - first.at));
}

/** Milliseconds until `bytes` more are done; null while that cannot be told. */
export function timeFor(bytes: number, rate: number | null): number | null {
  return rate === null || rate <= 0 ? null : Math.round((bytes * 1_000) / rate);
}
