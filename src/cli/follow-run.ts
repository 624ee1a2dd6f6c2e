/** Prints what a run prints, until it ends. */
import type { BridgeConnection, BridgeEvent } from '../control/connect-bridge.ts';
import type { RunFrame } from '../control/frames.ts';
import { BridgeError } from '../errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { printable, printableText } from './printable.ts';
import { showItems } from './show-item.ts';

export interface RunFollower {
  /** Resolves with its last frame; rejects with `bridge_unreachable` when the bridge ends before. */
  endOf(runId: string): Promise<RunFrame>;
}

/** From the first frame on, even those that overtake the reply, and those that are replayed. */
export function followRuns(bridge: BridgeConnection, asJson: boolean): RunFollower {
  const end = Promise.withResolvers<RunFrame>();
  let wanted: string | undefined;
  const early: BridgeEvent[] = [];
  const showLine = asJson ? (line: string) => console.log(line) : showItems();
  const follow = (event: BridgeEvent) => {
    if (wanted === undefined) early.push(event);
    else if ('runId' in event && event.runId === wanted) show(event, showLine, end.resolve);
  };
  bridge.onFrame(follow);
  return {
    async endOf(runId) {
      wanted = runId;
      for (const event of early.splice(0)) follow(event);
      const lost = bridge.closed.then(() => {
        throw new BridgeError('bridge_unreachable', 'it ended before the run did');
      });
      return await Promise.race([end.promise, lost]);
    },
  };
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'interrupted', 'timedOut']);

export function isOver({ state }: Pick<RunFrame, 'state'>): boolean {
  return ENDED.has(state);
}

/** Says how it ended, if not well. */
export function verdict({ state, error }: RunFrame): ExitCode {
  if (state === 'completed') return EXIT.done;
  const how = state === 'timedOut' ? 'took too long' : state === 'failed' ? 'failed' : 'was ended';
  process.stderr.write(
    `oa-bridge: the run ${how}${error ? `: ${error.message} [${error.code}]` : ''}\n`,
  );
  return state === 'interrupted' ? EXIT.interrupted : EXIT.failed;
}

function show(
  event: BridgeEvent,
  showLine: (line: string) => void,
  done: (run: RunFrame) => void,
): void {
  if (event.type === 'codex.line') {
    if (event.stream === 'stderr') process.stderr.write(`${printableText(event.line)}\n`);
    else showLine(event.line);
  } else if (event.type === 'bridge.run') {
    const { state, holder } = event;
    if (state === 'waiting') {
      process.stderr.write(`oa-bridge: waits for ${holder ?? 'whoever has the session open'}\n`);
    }
    if (isOver(event)) done(event);
  } else if (event.type === 'bridge.approval' && event.state === 'open') {
    const what = event.command ?? 'a change of files';
    process.stderr.write(`oa-bridge: waits for an approval: ${printable(what)}\n`);
  }
}
