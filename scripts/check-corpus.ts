/**
 * Runs the readers over a folder of session files and of `codex exec --json` output,
 * and compares what they find with a count that knows nothing of them:
 *
 *     node scripts/check-corpus.ts <folder> [--quiet]
 *
 * Prints one block a file and exits with 1 when a line is unaccounted for, a count
 * differs, or the two sightings of a recorded run do not end in the rows of its file.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isReverted } from '../convex/messages/reverts.ts';
import { lineKinds } from '../src/codex/rollout/line-kinds.ts';
import { createSightings } from '../src/codex/sightings.ts';
import type { ThreadItem } from '../src/codex/thread-item.ts';
import { finalItems, linesOf, readExec, readRollout } from '../test/support/codex-files.ts';
import { RowStore } from '../test/support/row-store.ts';
import type { MessageCounts } from '../src/actors/verify/message-count.ts';
import { countMessages } from './count-messages.ts';

/** Orders in which the two sides of a run are tried. */
const ORDERS = ['stream first', 'file first', 'in turns'] as const;

const [folder, ...flags] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node scripts/check-corpus.ts <folder> [--quiet]');
  process.exit(2);
}
const isQuiet = flags.includes('--quiet');
const totals = { files: 0, lines: 0, bytes: 0, items: 0, leftOut: 0, problems: 0, runs: 0 };
const failures: string[] = [];

for (const file of globSync('**/*.jsonl', { cwd: folder }).sort()) {
  const path = join(folder, file);
  const lines = linesOf(path);
  totals.files += 1;
  totals.lines += lines.length;
  totals.bytes += readFileSync(path).length;
  if (isExecOutput(file)) checkExec(file, lines);
  else checkRollout(file, lines);
  const recorded = join(dirname(path), 'stdout.jsonl');
  if (file.endsWith('/rollout.jsonl') && existsSync(recorded)) {
    checkJoin(relative(folder, dirname(path)), lines, linesOf(recorded));
  }
}

console.log(totals);
for (const failure of failures) console.log(`FAILED ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

function isExecOutput(file: string): boolean {
  return /(?:^|\/)(?:stdout[^/]*\.jsonl|exec\/.*)$/.test(file);
}

function checkRollout(file: string, lines: string[]): void {
  const { outcomes, items, reader } = readRollout(lines, file);
  const rows = finalItems(items).filter((row) => !isReverted(row, reader.thread.reverts));
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  const silent = outcomes.filter(
    ({ items, thread, leftOut, problems }) =>
      items.length === 0 && !thread && leftOut === undefined && problems.length === 0,
  ).length;
  const unlisted = lines.filter(
    (line, at) => outcomes[at]?.problems.length === 0 && !Object.hasOwn(lineKinds, kindOf(line)),
  );
  const mapped = countRows(rows);
  const counted = countMessages(lines);
  totals.items += rows.length;
  totals.leftOut += outcomes.filter(({ leftOut }) => leftOut !== undefined).length;
  totals.problems += problems.length;
  report(file, {
    lines: lines.length,
    items: tally(rows.map(({ kind }) => kind)),
    messages: `${mapped.user} user, ${mapped.assistant} assistant (counted: ${counted.user}, ${counted.assistant})`,
    leftOut: tally(outcomes.flatMap(({ leftOut }) => leftOut ?? [])),
    ...(problems.length === 0 ? {} : { problems: tally(problems.map(({ reason }) => reason)) }),
  });
  if (silent > 0) failures.push(`${file}: ${silent} lines without items, reason or problem`);
  if (unlisted.length > 0)
    failures.push(`${file}: not in the table: ${unlisted.map(kindOf).join(', ')}`);
  if (mapped.user !== counted.user || mapped.assistant !== counted.assistant) {
    failures.push(`${file}: messages ${JSON.stringify({ mapped, counted })}`);
  }
}

/** As the table names it, found without the readers. */
function kindOf(line: string): string {
  const { type, record_type, payload }: Line = JSON.parse(line);
  if (record_type !== undefined) return `record_${record_type}`;
  if (!payload) return type === undefined ? 'session_meta' : `response_item/${type}`;
  if (type !== 'response_item' && type !== 'event_msg') return String(type);
  const kind = `${type}/${payload.type}`;
  return kind === 'event_msg/item_completed' ? `${kind}/${payload.item?.type}` : kind;
}

interface Line {
  type?: string;
  record_type?: string;
  payload?: { type?: string; item?: { type?: string } };
}

function countRows(rows: readonly ThreadItem[]): MessageCounts {
  const messages = rows.filter(({ kind }) => kind === 'message');
  return {
    user: messages.filter(({ role }) => role === 'user').length,
    assistant: messages.filter(({ role }) => role === 'assistant').length,
  };
}

function checkExec(file: string, lines: string[]): void {
  const outcomes = readExec(lines);
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  const rows = finalItems(outcomes.flatMap(({ items }) => items));
  totals.items += rows.length;
  totals.problems += problems.length;
  report(file, {
    lines: lines.length,
    items: tally(rows.map(({ kind }) => kind)),
    ...(problems.length === 0 ? {} : { problems: tally(problems.map(({ reason }) => reason)) }),
  });
}

/** The run of the last turn in the file, seen from both sides. */
function checkJoin(scenario: string, file: string[], stdout: string[]): void {
  const stream = readExec(stdout).map(({ items }) => items);
  const filed = readRollout(file).outcomes.map(({ items }) => items);
  const turns = filed.flat().filter(({ kind, partial }) => kind === 'turn' && partial);
  const isOrdinal = file[0]?.includes('"ordinal"') ?? false;
  if (!isOrdinal || stream.flat().length === 0) return;
  totals.runs += 1;
  const startedAt = turns.length > 1 ? (turns.at(-1)?.ts ?? 0) - 100 : 0;
  const expected = finalItems(filed.flat()).map(({ key }) => key);
  for (const order of ORDERS) {
    const store = joined(order, stream, filed, startedAt);
    const keys = store.rows.map(({ fields }) => fields.key);
    const lost = expected.filter((key) => !keys.includes(key));
    const doubled = keys.length - new Set(keys).size;
    const extra = store.rows.filter(({ fields }) => !expected.includes(fields.key));
    const unexplained = extra.filter(({ fields }) => !isStreamOnly(fields, scenario));
    if (lost.length + doubled + unexplained.length > 0) {
      const rows = unexplained.map(({ fields }) => `${fields.key} ${fields.kind}`);
      failures.push(`${scenario}, ${order}: ${JSON.stringify({ lost, doubled, extra: rows })}`);
    }
  }
}

/** What Codex prints and never writes: complaints, lists made inside of scripts, a review's child. */
function isStreamOnly({ kind }: { kind: string }, scenario: string): boolean {
  return kind === 'error' || kind === 'todo' || (kind === 'reason' && scenario.includes('review'));
}

function joined(
  order: (typeof ORDERS)[number],
  stream: ThreadItem[][],
  filed: ThreadItem[][],
  startedAt: number,
): RowStore {
  const store = new RowStore();
  const sightings = createSightings({ runId: 'r', startedAt });
  const fromStream = stream.map((items) => () => store.ingest(sightings.streamed(items)));
  const fromFile = filed.map((items) => () => store.ingest(sightings.filed(items)));
  const steps = {
    'stream first': [...fromStream, ...fromFile],
    'file first': [...fromFile, ...fromStream],
    'in turns': [...fromFile.keys(), ...fromStream.keys()]
      .sort((one, other) => one - other)
      .flatMap((n, at, all) => (all.indexOf(n) === at ? [fromStream[n], fromFile[n]] : []))
      .filter((step) => step !== undefined),
  }[order];
  for (const step of steps) step();
  const prompt = ({ key }: ThreadItem) => key !== 'run/r/prompt';
  store.ingest(sightings.leftover(Date.now()).filter(prompt));
  return store;
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function report(file: string, facts: Record<string, unknown>): void {
  if (!isQuiet) console.log(file, facts);
}
