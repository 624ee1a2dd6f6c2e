/**
 * What a supervisor does within one turn. Nothing here may throw: an action that throws
 * takes its machine down and leaves the children running.
 */
import {
  fromCallback,
  isMachineSnapshot,
  setup,
  type AnyActorLogic,
  type AnyActorRef,
} from 'xstate';
import { BridgeError } from '../errors.ts';
import type { ChildSpec, SupervisorInput } from './child-spec.ts';
import {
  changeChild,
  childIds,
  newChild,
  orphansOf,
  settleChild,
  type Child,
} from './child-table.ts';
import { backoffDelay, restartGroup } from './restart-policy.ts';
import {
  supervisorBroadcast,
  textOf,
  type ChildEnd,
  type SupervisorContext,
  type SupervisorEmitted,
  type SupervisorEvent,
} from './supervisor-events.ts';

export const supervisorSetup = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as SupervisorInput,
    emitted: {} as SupervisorEmitted,
  },
  actors: {
    /** Fails with its input as soon as it starts. */
    failing: fromCallback(({ input }: { input: { error: unknown } }) => {
      throw input.error;
    }),
  },
});

/** What XState hands to an action. */
export type Turn = Parameters<Parameters<typeof supervisorSetup.enqueueActions>[0]>[0];
type System = Turn['system'];
/** XState types it for logic that `setup` knows; the logic of a child is known to its spec alone. */
type Spawn = (
  logic: AnyActorLogic | string,
  options: { id: string; systemId?: string; input: unknown },
) => AnyActorRef;

/** Starts those of `ids` that are not up, in the order of the table. */
export function startChildren(turn: Turn, ids: readonly string[]): void {
  const { context, enqueue, system } = turn;
  const due = context.children.filter(({ id, ref }) => !ref && ids.includes(id));
  enqueue.assign({
    children: ({ context, spawn }) =>
      context.children.map((child) =>
        ids.includes(child.id) ? startChild(child, spawn as Spawn, system) : child,
      ),
  });
  for (const { id, restart } of due) {
    report(
      turn,
      restart
        ? { type: 'child.restarted', child: id, ...restart }
        : { type: 'child.started', child: id },
    );
  }
}

/** Adds a child that was not there at the start; a group that is being restarted takes it along. */
export function addChild(turn: Turn, spec: ChildSpec): void {
  const { affected } = turn.context;
  const context = { ...turn.context, children: [...turn.context.children, newChild(spec)] };
  turn.enqueue.assign({ children: context.children });
  if (affected.length > 0)
    turn.enqueue.assign({
      affected: childIds(context.children).filter((id) => id === spec.id || affected.includes(id)),
    });
  else startChildren({ ...turn, context }, [spec.id]);
}

/** Tells a child to end and bounds how long that may take; one that cannot be told is dropped. */
export function stopChild(turn: Turn, child: Child): void {
  const { enqueue } = turn;
  const { id, spec } = child;
  const { shutdown } = spec;
  if (!child.ref || shutdown === 'brutal_kill' || !isMachineSnapshot(child.ref.getSnapshot())) {
    dropChild(turn, child);
    return;
  }
  enqueue.assign({
    children: ({ context }) => changeChild(context.children, id, { phase: 'stopping' }),
  });
  enqueue.sendTo(child.ref, { type: 'shutdown' });
  if (shutdown === 'infinity') return;
  enqueue.raise({ type: 'stop.overdue', id }, { delay: shutdown, id: overdueTimer(id) });
}

/** Ends a child without asking it. */
export function dropChild(turn: Turn, child: Child, error?: BridgeError): void {
  releaseChild(turn, child);
  turn.enqueue.assign({ children: ({ context }) => settleChild(context.children, child.id) });
  report(turn, { type: 'child.stopped', child: child.id, ...(error && { error }) });
}

/** A child ended as it was told to, or of itself and for good. */
export function settleEnd(turn: Turn, child: Child, event: ChildEnd): void {
  releaseChild(turn, child);
  turn.enqueue.assign({ children: ({ context }) => settleChild(context.children, child.id) });
  const { id } = child;
  if (!('error' in event)) report(turn, { type: 'child.stopped', child: id });
  else {
    const type = child.phase === 'stopping' ? 'child.stopped' : 'child.failed';
    report(turn, { type, child: id, error: event.error });
  }
}

/** A child failed and starts again: alone after its delay, or with its group after `delay`. */
export function planRestart(turn: Turn, child: Child, event: ChildEnd): void {
  const { context, enqueue } = turn;
  const { id } = child;
  const recent = [...context.recent, id];
  const attempt = recent.filter((other) => other === id).length;
  const delay = backoffDelay(context.backoff, attempt, context.random());
  const alone = context.strategy === 'one_for_one';
  const group = restartGroup(context.strategy, childIds(context.children), id);
  noteFailure(turn, child, event);
  enqueue.assign({
    recent,
    restarts: context.restarts + 1,
    delay,
    // A group that is being restarted already only grows.
    affected: alone
      ? []
      : childIds(context.children).filter(
          (other) => group.includes(other) || context.affected.includes(other),
        ),
    children: ({ context }) =>
      changeChild(context.children, id, {
        phase: alone ? 'waiting' : 'down',
        restart: { attempt, delay },
      }),
  });
  if (alone) enqueue.raise({ type: 'restart.due', id }, { delay, id: restartTimer(id) });
  // A timer for each restart bounds the window without a clock of our own.
  enqueue.raise(
    { type: 'restart.forgotten' },
    { delay: context.intensity.windowMs, id: `forget.${context.restarts}` },
  );
}

/** A child failed once too often. */
export function giveUp(turn: Turn, child: Child, event: ChildEnd): void {
  const { context, enqueue } = turn;
  const { maxRestarts, windowMs } = context.intensity;
  noteFailure(turn, child, event);
  const cause = failureOf(child, event);
  const failure = new BridgeError(
    'restarts_exhausted',
    `"${context.id}" restarted its children ${maxRestarts} times within ${windowMs} ms, and "${child.id}" failed again: ${textOf(cause)}`,
    { cause },
  );
  enqueue.assign({ failure });
  report(turn, { type: 'escalated', child: child.id, error: failure });
}

/** Forgets restarts that were due, and takes all children for the ones to stop. */
export function affectAll({ context, enqueue }: Turn): void {
  for (const child of context.children) enqueue.cancel(restartTimer(child.id));
  enqueue.assign({
    affected: childIds(context.children),
    children: context.children.map((child) =>
      child.phase === 'waiting' ? { ...child, phase: 'down' } : child,
    ),
  });
}

/** Takes a child out: at once if it is down, else when it has ended. */
export function removeChild(turn: Turn, child: Child): void {
  const { context, enqueue } = turn;
  const { id } = child;
  enqueue.assign({
    children: ({ context }) => changeChild(context.children, id, { leaving: true }),
  });
  if (child.phase === 'waiting' || child.phase === 'down') dropChild(turn, child);
  // One that stops with its group is told when it is its turn.
  else if (child.phase === 'up' && !context.affected.includes(id)) stopChild(turn, child);
}

/** Emits what was done, and passes it on to whoever shows it to clients. */
export function report({ context, enqueue }: Turn, emitted: SupervisorEmitted): void {
  enqueue.emit(emitted);
  const { notify } = context;
  const frame = supervisorBroadcast(context.id, emitted);
  if (notify === undefined || frame === null) return;
  // Looked up after what was enqueued before: the listener may be among the just started.
  const tellListener = supervisorSetup.enqueueActions(({ enqueue, system }) => {
    const listener = lookUp(system, notify);
    if (listener) enqueue.sendTo(listener, { type: 'broadcast', frame });
  });
  enqueue(tellListener);
}

function noteFailure(turn: Turn, child: Child, event: ChildEnd): void {
  const { id } = child;
  releaseChild(turn, child);
  turn.enqueue.assign({
    children: ({ context }) => changeChild(context.children, id, { phase: 'down', ref: null }),
  });
  report(turn, { type: 'child.failed', child: id, error: failureOf(child, event) });
}

/** XState keeps ended children for ever, and what a crashed one had started keeps running. */
function releaseChild({ enqueue }: Turn, child: Child): void {
  enqueue.cancel(overdueTimer(child.id));
  enqueue.cancel(restartTimer(child.id));
  if (!child.ref) return;
  for (const orphan of orphansOf(child.ref)) enqueue.sendTo(orphan, { type: 'xstate.stop' });
  enqueue.stopChild(child.ref);
}

function startChild(child: Child, spawn: Spawn, system: System): Child {
  const { spec } = child;
  if (child.ref) return child;
  const { logic, input } = startable(spec, system);
  const systemId = logic === spec.logic ? spec.systemId : undefined;
  const ref = spawn(logic, { id: spec.id, input, ...(systemId !== undefined && { systemId }) });
  return { ...child, phase: 'up', ref, restart: null };
}

/** What cannot start becomes an actor that fails at once, so that it is handled as any failure. */
function startable(
  spec: ChildSpec,
  system: System,
): {
  logic: AnyActorLogic | 'failing';
  input: unknown;
} {
  const { systemId, input } = spec;
  if (systemId !== undefined && lookUp(system, systemId)) {
    const error = new BridgeError('internal', `another actor holds the name "${systemId}"`);
    return { logic: 'failing', input: { error } };
  }
  try {
    return { logic: spec.logic, input: isStartFunction(input) ? input() : input };
  } catch (error) {
    return { logic: 'failing', input: { error } };
  }
}

function isStartFunction(input: unknown): input is () => unknown {
  return typeof input === 'function';
}

function failureOf(child: Child, event: ChildEnd): unknown {
  if ('error' in event) return event.error;
  return new BridgeError('internal', `"${child.id}" ended, although it is to run for ever`);
}

function overdueTimer(id: string): string {
  return `overdue.${id}`;
}

function restartTimer(id: string): string {
  return `restart.${id}`;
}

function lookUp(system: System, systemId: string): AnyActorRef | undefined {
  return system.get(systemId);
}
