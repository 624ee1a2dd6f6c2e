/** `oa-bridge runs`, `interrupt` and `attach`: what Codex does for whom, and how to end it. */
import { z } from 'zod';
import type { Config } from '../config.ts';
import { ControlFailure } from '../control/connect-bridge.ts';
import { BridgeError } from '../errors.ts';
import { convexFunctions, type ConvexFunctions } from './convex-functions.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { followRuns, isOver, verdict } from './follow-run.ts';
import { connectLocalBridge } from './local-bridge.ts';
import { printable } from './printable.ts';
import { duration, table } from './table.ts';

export interface RunsFlags {
  thread?: string;
  limit?: string;
  json?: boolean;
}

const usage = z.looseObject({ totalTokens: z.number() }).optional();

const runRows = z.array(
  z.looseObject({
    _id: z.string(),
    threadDocId: z.string(),
    text: z.string(),
    status: z.string(),
    state: z.string().optional(),
    holder: z.string().optional(),
    evidence: z.object({ what: z.string(), at: z.number() }).optional(),
    error: z.string().optional(),
    usage,
    createdAt: z.number(),
  }),
);
type RunRow = z.infer<typeof runRows>[number];

const threadRow = z.looseObject({ _id: z.string(), title: z.string(), usage }).nullable();
type ThreadRow = z.infer<typeof threadRow>;

const limitFlag = z.coerce.number().int().min(1).max(500);

/** The rows of Convex: so also runs of other machines, and those before the last restart. */
export async function runs(config: Config, flags: RunsFlags): Promise<ExitCode> {
  const limit = limitFlag.default(20).safeParse(flags.limit);
  if (!limit.success)
    throw new BridgeError('arguments_invalid', '--limit takes a number from 1 to 500');
  const bridge = await connectLocalBridge(config);
  try {
    const convex = await convexFunctions(bridge);
    const rows = await rowsOf(convex, flags.thread, limit.data);
    if (flags.json === true) {
      console.log(JSON.stringify(rows, null, 2));
      return EXIT.done;
    }
    const threads = new Map<string, ThreadRow>();
    for (const { threadDocId: id } of rows) {
      if (threads.has(id)) continue;
      threads.set(id, threadRow.parse(await convex.query('threads:byId', { id })));
    }
    if (rows.length === 0) process.stderr.write('There are no runs yet.\n');
    else console.log(runLines(rows, threads).join('\n'));
    return EXIT.done;
  } finally {
    bridge.close();
  }
}

async function rowsOf(
  convex: ConvexFunctions,
  thread: string | undefined,
  limit: number,
): Promise<RunRow[]> {
  if (thread === undefined) return runRows.parse(await convex.query('runs:recent', { limit }));
  const found = threadRow.parse(await convex.query('threads:byId', { id: thread }));
  if (found === null) throw new BridgeError('thread_unknown', thread);
  return runRows.parse(await convex.query('runs:listForThread', { threadDocId: found._id, limit }));
}

/** What is asked, and how it goes, below the line of the run: so it fits a terminal. */
function runLines(rows: RunRow[], threads: ReadonlyMap<string, ThreadRow>): string[] {
  const now = Date.now();
  const cells = rows.map((row) => [
    row._id,
    isOpen(row) ? (row.state ?? row.status) : row.status,
    duration(now - row.createdAt),
    tokens(row.usage),
    tokens(threads.get(row.threadDocId)?.usage),
  ]);
  const [header = '', ...lines] = table(['RUN', 'STATE', 'AGE', 'TOKENS', 'OF THREAD'], cells);
  const below = rows.map((row) => {
    const prompt = `  ${row.threadDocId}  ${printable(row.text).slice(0, MOST_SHOWN)}`;
    const what = whatOf(row, now);
    return [prompt, ...(what === undefined ? [] : [`  ${printable(what)}`])];
  });
  return [header, ...lines.flatMap((line, at) => [line, ...(below[at] ?? [])])];
}

/** Why it ended, or what it does. */
function whatOf(row: RunRow, now: number): string | undefined {
  const { evidence, error, holder } = row;
  if (error !== undefined || !isOpen(row)) return error;
  if (holder !== undefined) return `waits for ${holder}`;
  return evidence && `${evidence.what} ${duration(now - evidence.at)} ago`;
}

function isOpen({ status }: RunRow): boolean {
  return status === 'processing';
}

/** Characters of a prompt: with the thread before it, a line of 80. */
const MOST_SHOWN = 44;

function tokens(used: z.infer<typeof usage>): string {
  return used === undefined ? '-' : String(used.totalTokens);
}

/** Ends a run, or withdraws one that waits; without an id the newest that goes on. */
export async function interrupt(config: Config, runId: string | undefined): Promise<ExitCode> {
  const bridge = await connectLocalBridge(config);
  try {
    const frame = await bridge.request('interrupt', runId === undefined ? {} : { runId });
    console.log(`${frame.runId} ${frame.state}`);
    return EXIT.done;
  } catch (error) {
    const isNone = error instanceof ControlFailure && error.code === 'not_found';
    if (!isNone || runId !== undefined) throw error;
    process.stderr.write('oa-bridge: no run goes on.\n');
    return EXIT.failed;
  } finally {
    bridge.close();
  }
}

/** Prints what a run has printed, as far as it is remembered, and what is still to come. */
export async function attach(config: Config, runId: string, asJson: boolean): Promise<ExitCode> {
  const bridge = await connectLocalBridge(config);
  try {
    const left = Promise.withResolvers<null>();
    process.once('SIGINT', () => left.resolve(null));
    const follower = followRuns(bridge, asJson);
    const frame = await bridge.request('run.status', { runId });
    const end = follower.endOf(runId);
    if (isOver(frame)) {
      // What it printed was replayed before the reply; it may have been forgotten by now.
      end.catch(() => {});
      return verdict(frame);
    }
    const last = await Promise.race([end, left.promise]);
    if (last !== null) return verdict(last);
    process.stderr.write(`oa-bridge: the run goes on; "oa-bridge interrupt ${runId}" ends it\n`);
    return EXIT.interrupted;
  } finally {
    bridge.close();
  }
}
