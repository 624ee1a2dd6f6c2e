/** Reads recorded files of the Codex CLI through the readers under test. */
import { readFileSync } from 'node:fs';
import { createExecReader, type ExecOutcome } from '../../src/codex/exec/create-exec-reader.ts';
import { createRolloutReader } from '../../src/codex/rollout/create-rollout-reader.ts';
import type { LineOutcome, RolloutReader } from '../../src/codex/rollout/rollout-reader.ts';
import type { ThreadItem } from '../../src/codex/thread-item.ts';

/** Recorded by the real CLI: `<version>/<scenario>/rollout.jsonl` and `stdout.jsonl`. */
export function fixture(name: string): string[] {
  return linesOf(new URL(`../fixtures/codex/${name}`, import.meta.url));
}

export function linesOf(file: string | URL): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

export interface RolloutRead {
  reader: RolloutReader;
  outcomes: LineOutcome[];
  items: ThreadItem[];
}

export function readRollout(lines: readonly string[], path = 'rollout.jsonl'): RolloutRead {
  const reader = createRolloutReader({ path });
  let offset = 0;
  const outcomes = lines.map((line) => {
    const length = Buffer.byteLength(line) + 1;
    const outcome = reader.push(line, { offset, length });
    offset += length;
    return outcome;
  });
  return { reader, outcomes, items: outcomes.flatMap(({ items }) => items) };
}

export function readExec(lines: readonly string[], runId = 'r', now = () => 0): ExecOutcome[] {
  const reader = createExecReader({ runId, now });
  return lines.map((line) => reader.push(line));
}

/** As a store has them after all were written: the last of each key, where the first was. */
export function finalItems(items: readonly ThreadItem[]): ThreadItem[] {
  const byKey = new Map<string, ThreadItem>();
  for (const item of items) byKey.set(item.key, item);
  return [...byKey.values()];
}

/** A wrapped line of a session file. */
export function line(type: string, payload: object, more: object = {}): string {
  return JSON.stringify({ timestamp: '2026-11-23T09:00:00.000Z', type, payload, ...more });
}
