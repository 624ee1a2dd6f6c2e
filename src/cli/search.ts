/** `oa-bridge search`: the lines of all conversations that hold these words. */
import { styleText } from 'node:util';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { convexFunctions } from './convex-functions.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { hitIn } from './hit-line.ts';
import { connectLocalBridge } from './local-bridge.ts';
import { printable } from './printable.ts';

export interface SearchFlags {
  thread?: string;
  kind?: string;
  limit?: string;
  json?: boolean;
}

const foundRows = z.array(
  z.looseObject({
    _id: z.string(),
    threadId: z.string(),
    kind: z.string(),
    role: z.string().optional(),
    text: z.string().default(''),
    /** Milliseconds since the epoch. */
    ts: z.number(),
  }),
);
type FoundRow = z.infer<typeof foundRows>[number];

const namedThread = z.looseObject({ threadId: z.string(), title: z.string() }).nullable();
const limitFlag = z.coerce.number().int().min(1).max(200);

/** Exit code 1 when nothing was found, as of grep. */
export async function search(config: Config, words: string, flags: SearchFlags): Promise<ExitCode> {
  const limit = limitFlag.default(20).safeParse(flags.limit);
  if (!limit.success)
    throw new BridgeError('arguments_invalid', '--limit takes a number from 1 to 200');
  const ask = await convexQuery(config);
  const thread = flags.thread === undefined ? null : await threadNamed(ask, flags.thread);
  if (flags.thread !== undefined && thread === null) {
    throw new BridgeError('thread_unknown', flags.thread);
  }
  const rows = foundRows.parse(
    await ask('messages:search', {
      query: words,
      limit: limit.data,
      ...(thread === null ? {} : { threadId: thread.threadId }),
      ...(flags.kind === undefined ? {} : { kind: flags.kind }),
    }),
  );
  const titles = new Map<string, string>();
  for (const { threadId } of rows) {
    if (titles.has(threadId)) continue;
    titles.set(threadId, (await threadNamed(ask, threadId))?.title ?? threadId);
  }
  if (flags.json === true) {
    const found = rows.map((row) => ({ ...row, title: titles.get(row.threadId) ?? '' }));
    console.log(JSON.stringify(found, null, 2));
  } else if (rows.length === 0) process.stderr.write('Nothing was found.\n');
  else console.log(rows.map((row) => shown(row, titles, words)).join('\n\n'));
  return rows.length === 0 ? EXIT.failed : EXIT.done;
}

/** Colours come and go with the terminal (`styleText`). */
function shown(row: FoundRow, titles: ReadonlyMap<string, string>, words: string): string {
  const { before, hit, after } = hitIn(row.text, words);
  const who = row.role ?? row.kind;
  const title = printable(titles.get(row.threadId) ?? row.threadId);
  return [
    `${styleText('bold', title)}  ${styleText('dim', `${timeOf(row.ts)}  ${who}  ${row.threadId}`)}`,
    `  ${before}${styleText(['bold', 'yellow'], hit)}${after}`,
  ].join('\n');
}

/** Local, to the second. */
function timeOf(ts: number): string {
  const at = new Date(ts);
  const two = (part: number) => String(part).padStart(2, '0');
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}

type Ask = (name: string, args: Record<string, unknown>) => Promise<unknown>;

async function threadNamed(ask: Ask, id: string): Promise<z.infer<typeof namedThread>> {
  return namedThread.parse(await ask('threads:byId', { id }));
}

async function convexQuery(config: Config): Promise<Ask> {
  const bridge = await connectLocalBridge(config);
  using _ = { [Symbol.dispose]: () => bridge.close() };
  const convex = await convexFunctions(bridge);
  return async (name, args) => await convex.query(name, args);
}
