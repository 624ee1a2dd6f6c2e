/** What many quiet files cost: until the daemon is ready again, and while nothing happens. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { createSession } from '../test/support/session-writer.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { startBuiltDaemon } from './built-daemon.ts';
import { imported, pause } from './imported.ts';
import { backendOf, processUsage, watchCount, type ProcessUsage } from './process-usage.ts';
import type { Figures } from './run.ts';

const DIRECTORIES = 400;
const FILES_PER_DIRECTORY = 50;
const FILES = DIRECTORIES * FILES_PER_DIRECTORY;
const DAY_MS = 24 * 60 * 60_000;
/** Long enough to hold one full sweep, which comes once a minute. */
const IDLE_MS = 75_000;

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  for (let index = 0; index < FILES; index += 1) {
    const day = Math.floor(index / FILES_PER_DIRECTORY) + 1;
    const session = createSession(join(folder.path, 'codex'), {
      at: new Date(Date.now() - day * DAY_MS),
    });
    session.user(`Question ${index}`);
    session.assistant(`Answer ${index}`);
    session.endTurn();
  }
  await importAll(folder.path);
  const bare = await execa(process.execPath, ['-e', 'console.log(process.memoryUsage().rss)']);

  const start = performance.now();
  await using daemon = await startBuiltDaemon(folder.path);
  const served = performance.now();
  const bridge = await daemon.connect();
  await imported(bridge, FILES);
  const ready = performance.now();
  bridge.close();
  await pause(5_000);
  const before = await processUsage(daemon.pid);
  await pause(IDLE_MS);
  const after = await processUsage(daemon.pid);
  const own = after.find(({ pid }) => pid === daemon.pid);
  const sessionDirectories = directoriesIn(join(folder.path, 'codex', 'sessions'));
  const mb = (bytes = 0) => `${(bytes / 1e6).toFixed(0)} MB`;
  const share = (processes: ProcessUsage[], earlier: ProcessUsage[]) =>
    `${(((cpu(processes) - cpu(earlier)) / (IDLE_MS / 1000)) * 100).toFixed(2)} %`;
  const isOwn = ({ pid }: ProcessUsage) => pid === daemon.pid;
  return {
    'quiet session files': `${FILES} in ${DIRECTORIES} directories`,
    'control and Convex served after': `${((served - start) / 1000).toFixed(2)} s`,
    'all cursors known after': `${((ready - start) / 1000).toFixed(2)} s`,
    'RSS of the daemon': mb(own?.rss),
    'above that of a bare Node': mb((own?.rss ?? 0) - Number(bare.stdout)),
    'RSS of the backend': mb(backendOf(after)?.rss),
    'CPU of the daemon': share(after.filter(isOwn), before.filter(isOwn)),
    'CPU of all of them': share(after, before),
    'watches of the daemon, one a directory': `${watchCount(daemon.pid) ?? 'not known here'}: ${sessionDirectories} of sessions, the rest of projects and skills`,
  };
}

/** Itself among them. */
function directoriesIn(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return 1 + entries.filter((entry) => entry.isDirectory()).length;
}

async function importAll(folder: string): Promise<void> {
  await using daemon = await startBuiltDaemon(folder);
  const bridge = await daemon.connect();
  await imported(bridge, FILES);
  bridge.close();
}

function cpu(processes: ProcessUsage[]): number {
  return processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}
