/** The backend as its users run it: a process of its own, with the functions of this folder. */
import { fileURLToPath } from 'node:url';
import { ConvexClient } from 'convex/browser';
import { anyApi } from 'convex/server';
import type { ApiFromModules } from 'convex/server';
import { spawnMain } from '../../test/embedded-convex/support/backend-process.ts';
import type { BackendProcess } from '../../test/embedded-convex/support/backend-process.ts';
import type * as functions from './functions/bench.ts';

// The type says what the untyped proxy gives for this module.
export const api = (anyApi as unknown as ApiFromModules<{ bench: typeof functions }>).bench;

export const functionsFolder = fileURLToPath(new URL('functions', import.meta.url));

export function spawnServed(database: string): BackendProcess {
  return spawnMain('--db', database, '--functions', functionsFolder);
}

export function connect(url: string): ConvexClient {
  return new ConvexClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
}

/** ms that `work` takes. */
export async function elapsed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
