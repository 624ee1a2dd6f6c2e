/**
 * Session files written, torn, truncated, rewritten, moved, compressed, deleted, and the
 * daemon and its backend killed, halted, wiped, at random: Convex always comes to hold what a
 * simple model says. A few steps of a fixed seed; `npm run test:model` does 10,000 of a new
 * one. `MODEL_SEED` replays the steps of the seed that was printed, `MODEL_STEPS` sets how many.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCampaign } from '../support/session-model/campaign.ts';

const FEW = 150;
const STEPS = Number(process.env['MODEL_STEPS'] ?? FEW);
const SEED = Number(
  process.env['MODEL_SEED'] ?? (STEPS > FEW ? Math.floor(Math.random() * 2 ** 31) : 20_261_126),
);

test(
  `after ${STEPS} random steps Convex holds exactly what the model says`,
  { timeout: 120_000 + STEPS * 500 },
  async () => {
    console.log(`MODEL_SEED=${SEED} MODEL_STEPS=${STEPS}`);
    // Kept when it fails.
    const folder = mkdtempSync(join(tmpdir(), 'oa-model-'));
    const log = (line: string) => console.log(line);
    const result = await runCampaign({ seed: SEED, steps: STEPS, folder, log });
    expect(result.steps).toHaveLength(STEPS);
    expect(result.rows).toBeGreaterThan(STEPS / 2);
    console.log(`${result.rows} rows in ${result.threads} threads, slowest ${result.slowest} ms`);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  },
);
