/** Codex driven by `codex exec --json`. One actor, one process. */
import type { Writable } from 'node:stream';
import { fromCallback, type CallbackActorLogic } from 'xstate';
import {
  createExecReader,
  type ExecOutcome,
  type ExecReader,
} from '../../codex/exec/create-exec-reader.ts';
import { interrupted } from '../../codex/item-content.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { CodexProcessCommand, RunPlan } from '../../machines/codex-process-events.ts';
import { batched } from './batched-events.ts';
import {
  startCodex,
  type ChildListener,
  type CodexChild,
  type CodexProcessOptions,
  type Send,
} from './codex-child.ts';
import { isWriterConflict, readableError } from './complaint.ts';
import { execArguments } from './exec-arguments.ts';

export function createExecProcess(
  options: CodexProcessOptions,
): CallbackActorLogic<CodexProcessCommand, { plan: RunPlan }> {
  return fromCallback<CodexProcessCommand, { plan: RunPlan }>(({ input, sendBack, receive }) => {
    const { plan } = input;
    const send = batched(sendBack);
    const args = execArguments(plan, options.extraArguments);
    const child = startCodex(options, plan, args, send, (handle) => {
      return new ExecRun(plan, send, handle);
    });
    // It has its prompt and takes nothing more but signals.
    receive((command) => {
      if (command.type === 'process.signal') child?.signal(command.signal);
    });
    return () => child?.kill();
  });
}

/** Turns what Codex prints into events. */
class ExecRun implements ChildListener {
  readonly #plan: RunPlan;
  readonly #send: Send;
  readonly #child: CodexChild;
  readonly #reader: ExecReader;
  /** Items that Codex has begun, by their keys. */
  readonly #open = new Map<string, ThreadItem>();
  #lastError: string | undefined;

  constructor(plan: RunPlan, send: Send, child: CodexChild) {
    this.#plan = plan;
    this.#send = send;
    this.#child = child;
    this.#reader = createExecReader({ runId: plan.runId, now: Date.now });
  }

  ready(stdin: Writable): void {
    stdin.end(this.#plan.prompt);
  }

  line(line: string, bytes: number): void {
    try {
      this.#understood(this.#reader.push(line), bytes);
    } catch (error) {
      this.#child.noteOnce(`a line could not be read: ${String(error)}`);
    }
  }

  complaint(line: string): void {
    if (this.#plan.resumeId !== undefined && isWriterConflict(line)) {
      this.#send({ type: 'process.conflict' });
    }
  }

  ended(): string | undefined {
    // An interrupted Codex closes nothing that it has begun.
    const items = [...this.#open.values()].map(interrupted);
    if (items.length > 0) this.#send({ type: 'process.items', items, bytes: 0 });
    return this.#lastError;
  }

  #understood({ items, resumeId, turn, error, problems }: ExecOutcome, bytes: number): void {
    if (resumeId !== undefined) this.#send({ type: 'process.session', resumeId });
    if (items.some(isTurnStart)) this.#send({ type: 'process.turnStarted' });
    if (items.length > 0) this.#send({ type: 'process.items', items, bytes });
    this.#child.showed(items);
    for (const item of items) {
      if (item.partial === true) this.#open.set(item.key, item);
      else this.#open.delete(item.key);
    }
    for (const { reason } of problems) {
      this.#child.noteOnce(`a line was not understood: ${reason}`);
    }
    const said = turn?.error ?? error;
    if (said !== undefined) this.#lastError = readableError(said);
    if (turn === undefined) return;
    // What went wrong before a turn that ended well was not fatal.
    if (turn.status === 'completed') this.#lastError = undefined;
    const failure = turn.error === undefined ? {} : { error: readableError(turn.error) };
    this.#send({ type: 'process.turnEnded', turn: { ...turn, ...failure } });
  }
}

function isTurnStart({ kind, data }: ThreadItem): boolean {
  return kind === 'turn' && data !== undefined && 'status' in data && data.status === 'in_progress';
}
