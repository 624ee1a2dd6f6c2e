/** Looks at everything around the bridge that can be wrong. Changes nothing. */
import type { Config } from '../config.ts';
import { checkClock } from './clock.ts';
import { checkCodex } from './codex.ts';
import type { Finding } from './finding.ts';
import { checkHome, checkRoots, checkSessions } from './folders.ts';
import { checkDisk, checkNode, checkWatches } from './machine.ts';
import { checkControl, checkConvex } from './ports.ts';

/** In the order in which they are shown. Rejects never: what cannot be looked at is a finding. */
export async function examine(config: Config): Promise<Finding[]> {
  const checks: [string, (config: Config) => Finding | Finding[] | Promise<Finding | Finding[]>][] =
    [
      ['node', checkNode],
      ['home', checkHome],
      ['sessions', checkSessions],
      ['roots', checkRoots],
      ['codex', checkCodex],
      ['control', checkControl],
      ['convex', checkConvex],
      ['watches', checkWatches],
      ['disk', checkDisk],
      ['clock', checkClock],
    ];
  const found = await Promise.all(
    checks.map(async ([subject, check]): Promise<Finding[]> => {
      try {
        return [await check(config)].flat();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const advice = 'this could not be looked at; please report it';
        return [{ subject, verdict: 'warning', found: reason, advice }];
      }
    }),
  );
  return found.flat();
}
