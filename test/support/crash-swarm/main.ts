/**
 * The embedded backend's own program, with failpoints in the thread of its engine. The first
 * argument is the query of failpoints.ts, the others are the program's.
 */
import { syncBuiltinESMExports } from 'node:module';
import workerThreads, { type WorkerOptions } from 'node:worker_threads';

const [plan = ''] = process.argv.splice(2, 1);
const failpoints = new URL(`failpoints.ts?${plan}`, import.meta.url).href;

workerThreads.Worker = class extends workerThreads.Worker {
  constructor(file: string | URL, options: WorkerOptions = {}) {
    super(file, { ...options, execArgv: [...(options.execArgv ?? []), '--import', failpoints] });
  }
};
// What was imported by name from now on is this class.
syncBuiltinESMExports();

await import('../../../src/embedded-convex/main.ts');
