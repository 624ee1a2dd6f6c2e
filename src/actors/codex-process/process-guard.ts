/** Reaper and ledger together: no Codex outlives the bridge. */
import { startReaper } from './reaper.ts';
import { RunsLedger } from './runs-ledger.ts';

export interface ProcessGuard {
  add(runId: string, pid: number): Promise<void>;
  remove(pid: number): void;
  /** Ends what an earlier life of the bridge has left running. */
  settle(): Promise<{ ended: string[] }>;
}

export function createProcessGuard(ledgerFile: string): ProcessGuard {
  const reaper = startReaper();
  const ledger = new RunsLedger(ledgerFile);
  return {
    async add(runId, pid) {
      reaper.add(pid);
      await ledger.add(runId, pid);
    },
    remove(pid) {
      reaper.remove(pid);
      ledger.remove(pid);
    },
    settle: async () => await ledger.settle(),
  };
}
