/**
 * Which Codex processes this bridge has started, on disk: for the case that bridge
 * and reaper were both killed. The next start ends those that are still there.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ProcessTree } from './kill-tree.ts';
import { findProcess } from './process-table.ts';

const ledgerFile = z.array(
  z.object({
    runId: z.string(),
    pid: z.int().min(2),
    /** As the system tells it: with the id it names one process for ever. */
    startedAt: z.string(),
  }),
);
type Entry = z.infer<typeof ledgerFile>[number];

/** Milliseconds between the steps of the ladder, for processes that nobody waits for. */
const PATIENCE_MS = 2_000;
const POLL_MS = 50;

export class RunsLedger {
  readonly #file: string;
  #entries: Entry[] = [];

  /** `runs-ledger.json` in the OpenAgents home. */
  constructor(file: string) {
    this.#file = file;
  }

  async add(runId: string, pid: number): Promise<void> {
    const row = await findProcess(pid);
    if (row === undefined) return;
    this.#write([...this.#entries, { runId, pid, startedAt: row.startedAt }]);
  }

  /** Never throws: on a full disk the entry stays, and is seen to be over at the next start. */
  remove(pid: number): void {
    const left = this.#entries.filter((entry) => entry.pid !== pid);
    if (left.length === this.#entries.length) return;
    try {
      this.#write(left);
    } catch {
      // The next write, or the next start, does what this one could not.
    }
  }

  /** Ends what an earlier life of the bridge has left running. Tells whose runs those were. */
  async settle(patienceMs = PATIENCE_MS): Promise<{ ended: string[] }> {
    const left = readLedger(this.#file);
    const ended = await Promise.all(
      left.map(async (entry) => await endLeftover(entry, patienceMs)),
    );
    this.#write(this.#entries);
    return { ended: left.filter((_, index) => ended[index]).map(({ runId }) => runId) };
  }

  #write(entries: Entry[]): void {
    this.#entries = entries;
    mkdirSync(dirname(this.#file), { recursive: true });
    // A rename replaces the file whole: a crash leaves the old one or the new one.
    const temporary = `${this.#file}.${process.pid}.tmp`;
    writeFileSync(temporary, `${JSON.stringify(entries)}\n`, { mode: 0o600 });
    renameSync(temporary, this.#file);
  }
}

/** A ledger that is missing or damaged names nothing that could be ended safely. */
function readLedger(file: string): Entry[] {
  try {
    return ledgerFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return [];
  }
}

async function endLeftover(entry: Entry, patienceMs: number): Promise<boolean> {
  if (!(await isAlive(entry))) return false;
  const tree = new ProcessTree(entry.pid);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    await tree.signal(signal);
    if (await isGone(entry, patienceMs)) break;
  }
  tree.killNow();
  return true;
}

async function isAlive({ pid, startedAt }: Entry): Promise<boolean> {
  return (await findProcess(pid))?.startedAt === startedAt;
}

async function isGone(entry: Entry, patienceMs: number): Promise<boolean> {
  for (let waited = 0; waited < patienceMs; waited += POLL_MS) {
    if (!(await isAlive(entry))) return true;
    await sleep(POLL_MS);
  }
  return !(await isAlive(entry));
}
