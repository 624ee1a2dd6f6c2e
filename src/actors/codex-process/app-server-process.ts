/**
 * Codex driven by `codex app-server` over stdio: one actor, one process, one turn.
 *
 * initialize → thread/start or thread/resume → turn/start → notifications →
 * turn/completed → its stdin is closed, and it ends.
 */
import type { Writable } from 'node:stream';
import { fromCallback, type CallbackActorLogic } from 'xstate';
import { z } from 'zod';
import { approvalOf, refusalOf } from '../../codex/app-server/server-request.ts';
import {
  createAppServerReader,
  type AppServerReader,
  type AppServerTurn,
} from '../../codex/app-server/create-app-server-reader.ts';
import {
  parseRpcMessage,
  type RpcId,
  type RpcMessage,
} from '../../codex/app-server/rpc-message.ts';
import type { CodexProcessCommand, RunPlan, TurnEnd } from '../../machines/codex-process-events.ts';
import { packageVersion } from '../../version.ts';
import { appServerArguments, initializeParams, threadParams } from './app-server-arguments.ts';
import { batched } from './batched-events.ts';
import {
  startCodex,
  type ChildListener,
  type CodexChild,
  type CodexProcessOptions,
  type Send,
} from './codex-child.ts';
import { isWriterConflict, readableError } from './complaint.ts';
import { RpcClient } from './rpc-client.ts';

export function createAppServerProcess(
  options: CodexProcessOptions,
): CallbackActorLogic<CodexProcessCommand, { plan: RunPlan }> {
  return fromCallback<CodexProcessCommand, { plan: RunPlan }>(({ input, sendBack, receive }) => {
    const { plan } = input;
    const send = batched(sendBack);
    let run: AppServerRun | undefined;
    const args = appServerArguments(options.extraArguments);
    const child = startCodex(options, plan, args, send, (handle) => {
      run = new AppServerRun(plan, send, handle);
      return run;
    });
    receive((command) => {
      switch (command.type) {
        case 'process.signal':
          child?.signal(command.signal);
          break;
        case 'process.interrupt':
          run?.interrupt();
          break;
        case 'process.answer':
          run?.answer(command);
          break;
        case 'process.steer':
          void run?.steer(command);
          break;
      }
    });
    return () => child?.kill();
  });
}

/** Leads one app-server through one turn, and turns what it says into events. */
class AppServerRun implements ChildListener {
  readonly #plan: RunPlan;
  readonly #send: Send;
  readonly #child: CodexChild;
  #rpc: RpcClient | undefined;
  #reader: AppServerReader | undefined;
  #threadId: string | undefined;
  #turnId: string | undefined;
  /** Requests of Codex that wait for an answer, by the id of the approval. */
  readonly #asked = new Map<string, RpcId>();
  #isStopped = false;
  #turnEnded = false;
  #lastError: string | undefined;

  constructor(plan: RunPlan, send: Send, child: CodexChild) {
    this.#plan = plan;
    this.#send = send;
    this.#child = child;
  }

  ready(stdin: Writable): void {
    const rpc = new RpcClient(stdin);
    this.#rpc = rpc;
    void this.#begin(rpc).catch((error: unknown) => {
      if (this.#turnEnded) return;
      const message = error instanceof Error ? error.message : String(error);
      if (this.#threadId === undefined && isWriterConflict(message)) {
        this.#turnEnded = true;
        this.#lastError = message;
        this.#send({ type: 'process.conflict' });
        rpc.end();
        return;
      }
      this.#endTurn({ status: 'failed', error: readableError(message) });
    });
  }

  line(line: string, bytes: number): void {
    let message: RpcMessage;
    try {
      message = parseRpcMessage(line);
    } catch {
      this.#child.noteOnce('a line was not understood: not a message of the app-server');
      return;
    }
    switch (message.kind) {
      case 'notification':
        this.#notified(message.method, message.params, bytes);
        break;
      case 'request':
        this.#requested(message);
        break;
      default:
        this.#rpc?.answered(message);
    }
  }

  interrupt(): void {
    this.#isStopped = true;
    const { threadId, turnId } = this.#place();
    if (threadId === undefined || turnId === undefined) this.#rpc?.end();
    // What comes of it is told by the end of the turn, or by the next signal.
    else this.#rpc?.request('turn/interrupt', { threadId, turnId }).catch(() => {});
  }

  answer({ approvalId, decision }: Extract<CodexProcessCommand, { type: 'process.answer' }>): void {
    const id = this.#asked.get(approvalId);
    this.#asked.delete(approvalId);
    if (id !== undefined) this.#rpc?.respond(id, { decision });
  }

  async steer({ requestId, text }: Extract<CodexProcessCommand, { type: 'process.steer' }>) {
    const { threadId, turnId: expectedTurnId } = this.#place();
    try {
      if (expectedTurnId === undefined) throw new Error('The turn has not begun yet.');
      await this.#rpc?.request('turn/steer', { threadId, expectedTurnId, input: [words(text)] });
      this.#send({ type: 'process.steered', requestId });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#send({ type: 'process.steered', requestId, error: reason });
    }
  }

  ended({ signal }: { exitCode: number | null; signal: string | null }): string | undefined {
    this.#rpc?.abandon();
    const items = this.#reader?.abandon() ?? [];
    if (items.length > 0) this.#send({ type: 'process.items', items, bytes: 0 });
    // An exit code says how the server ended, not how its turn did, if it had begun one.
    const isInTurn = this.#turnId !== undefined && !this.#turnEnded;
    if (isInTurn && !this.#isStopped && signal === null) {
      const error = this.#lastError ?? 'it ended before its turn did';
      this.#endTurn({ status: 'failed', error });
    }
    return this.#lastError;
  }

  async #begin(rpc: RpcClient): Promise<void> {
    const plan = this.#plan;
    await rpc.request('initialize', initializeParams(packageVersion()));
    rpc.notify('initialized');
    const { thread } = threadAnswer.parse(
      plan.resumeId === undefined
        ? await rpc.request('thread/start', threadParams(plan))
        : await rpc.request(plan.fork ? 'thread/fork' : 'thread/resume', {
            ...threadParams(plan),
            threadId: plan.resumeId,
            excludeTurns: true,
          }),
    );
    this.#threadId = thread.id;
    this.#reader = createAppServerReader({
      runId: plan.runId,
      threadId: thread.id,
      sharesIds: thread.historyMode === 'paginated',
      now: Date.now,
    });
    this.#send({ type: 'process.session', resumeId: thread.id });
    if (this.#isStopped) return;
    const { turn } = turnAnswer.parse(
      await rpc.request('turn/start', {
        threadId: thread.id,
        input: [words(plan.prompt)],
        // Stored with the prompt, in the stream and in the session file: how its row is found.
        clientUserMessageId: plan.runId,
      }),
    );
    this.#turnId = turn.id;
    this.#send({ type: 'process.turnStarted' });
    // The request to end it came while it was on its way.
    if (this.#isStopped) this.interrupt();
  }

  #notified(method: string, params: unknown, bytes: number): void {
    if (method === 'serverRequest/resolved') return this.#resolved(params);
    if (!this.#reader) return;
    const { items, pieces, turnStarted, turnEnded, error, problems } = this.#reader.push(
      method,
      params,
    );
    if (turnStarted !== undefined) this.#turnId ??= turnStarted;
    if (items.length > 0) this.#send({ type: 'process.items', items, bytes });
    this.#child.showed(items);
    if (pieces.length > 0) this.#send({ type: 'process.pieces', pieces });
    for (const { reason } of problems) {
      this.#child.noteOnce(`a ${method} was not understood: ${reason}`);
    }
    if (error !== undefined) this.#lastError = readableError(error);
    if (turnEnded?.turnId === this.#turnId && turnEnded !== undefined) {
      this.#endTurn(endOf(turnEnded));
    }
  }

  #requested({ id, method, params }: Extract<RpcMessage, { kind: 'request' }>): void {
    const approval = approvalOf(`${this.#plan.runId}.${id}`, method, params, (itemId) =>
      this.#reader?.changesOf(itemId),
    );
    if (approval !== undefined) {
      this.#asked.set(approval.approvalId, id);
      this.#send({ type: 'process.approval', request: approval });
      return;
    }
    const { result, reason } = refusalOf(method);
    this.#child.note(`${method} was declined: ${reason}`);
    if (result === undefined) this.#rpc?.refuse(id, reason);
    else this.#rpc?.respond(id, result);
  }

  #resolved(params: unknown): void {
    const requestId = resolution.safeParse(params).data?.requestId;
    for (const [approvalId, id] of this.#asked) {
      if (id !== requestId) continue;
      this.#asked.delete(approvalId);
      this.#send({ type: 'process.approvalGone', approvalId });
    }
  }

  #endTurn(turn: TurnEnd): void {
    this.#turnEnded = true;
    // What went wrong before a turn that ended well was not fatal.
    this.#lastError = turn.status === 'completed' ? undefined : (turn.error ?? this.#lastError);
    this.#send({ type: 'process.turnEnded', turn });
    this.#rpc?.end();
  }

  #place() {
    return { threadId: this.#threadId, turnId: this.#turnEnded ? undefined : this.#turnId };
  }
}

function endOf({ status, error, usage }: AppServerTurn): TurnEnd {
  return {
    status,
    ...(error === undefined ? {} : { error: readableError(error) }),
    ...(usage && { usage }),
  };
}

function words(text: string) {
  return { type: 'text', text, text_elements: [] };
}

const threadAnswer = z.object({
  thread: z.object({ id: z.string(), historyMode: z.string().optional() }),
});
const turnAnswer = z.object({ turn: z.object({ id: z.string() }) });
const resolution = z.object({ requestId: z.union([z.string(), z.number()]) });
