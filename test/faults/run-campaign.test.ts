/**
 * Runs of the real Codex at random, with interrupts, cancellations, kill -9 of Codex and of the
 * bridge among them, by both drivers. A few of a fixed seed; `npm run test:runs` does 200 of a
 * new one. `RUNS_SEED` replays the plan of the seed that was printed, `RUNS` sets how many.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCampaign } from '../support/run-campaign/campaign.ts';

const FEW = 16;
/** Among its eight runs: a bridge and a Codex that are killed in a stream, and a resumed session. */
const FEW_SEED = 16_259;
const RUNS = Number(process.env['RUNS'] ?? FEW);
const SEED = Number(
  process.env['RUNS_SEED'] ?? (RUNS > FEW ? Math.floor(Math.random() * 2 ** 31) : FEW_SEED),
);

test.each(['exec', 'app-server'] as const)(
  'random runs, each by %s: one end, the rows of the files, and nothing left',
  { timeout: 60_000 + RUNS * 5_000 },
  async (driver) => {
    console.log(`RUNS_SEED=${SEED} RUNS=${RUNS}`);
    // Kept when it fails.
    const folder = mkdtempSync(join(tmpdir(), 'oa-runs-'));
    const log = (line: string) => console.log(line);
    const result = await runCampaign({ driver, seed: SEED, runs: RUNS / 2, folder, log });
    console.log(JSON.stringify(result));
    expect(result.problems).toEqual([]);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  },
);
