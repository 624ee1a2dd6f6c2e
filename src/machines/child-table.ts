/** The children of one supervisor: where each stands, and what its end means. Pure. */
import type { AnyActorRef } from 'xstate';
import type { AutoShutdown, ChildSpec, Intensity, Strategy } from './child-spec.ts';
import { endsSupervisor, exceedsIntensity, isRestarted, type Exit } from './restart-policy.ts';

/**
 * up        started
 * stopping  told to end, its limit runs
 * waiting   failed; starts again, alone, when its delay is over
 * down      ended; starts again only with its group
 */
type ChildPhase = 'up' | 'stopping' | 'waiting' | 'down';

export interface Child {
  /** Of its spec. */
  id: string;
  spec: ChildSpec;
  phase: ChildPhase;
  /** Held until it has ended and was released. */
  ref: AnyActorRef | null;
  /** To be forgotten once it is down. */
  leaving: boolean;
  /** The restart that is due: which one within the window, and its delay in ms. */
  restart: { attempt: number; delay: number } | null;
}

/** What of a supervisor's context decides about a child that ended. */
export interface Circumstances {
  strategy: Strategy;
  intensity: Intensity;
  autoShutdown: AutoShutdown;
  children: readonly Child[];
  /** Ids of those that are being stopped together. */
  affected: readonly string[];
  /** One child id for each restart within the window, oldest first. */
  recent: readonly string[];
}

/**
 * late      of a child that is settled already, or an earlier instance
 * told      it was to end, alone or with its group
 * ends      by itself, and stays down
 * shutdown  by itself, and as a significant child ends the supervisor
 * alone     starts again
 * group     starts again together with siblings
 * escalate  would start again, but it did so too often
 */
export type Verdict = 'late' | 'told' | 'ends' | 'shutdown' | 'alone' | 'group' | 'escalate';

export function verdictOn(circumstances: Circumstances, id: string, exit: Exit): Verdict {
  const { children, affected, recent, intensity, strategy } = circumstances;
  const child = findChild(children, id);
  // An event does not say which instance sent it; an active actor cannot have.
  if (!child?.ref || child.ref.getSnapshot().status === 'active') return 'late';
  if (child.phase === 'stopping' || affected.includes(id)) return 'told';
  if (!isRestarted(child.spec.restart, exit)) {
    return endsSupervisor(
      circumstances.autoShutdown,
      child.spec.significant === true,
      children.some((other) => other !== child && other.spec.significant && other.phase !== 'down'),
    )
      ? 'shutdown'
      : 'ends';
  }
  if (exceedsIntensity(intensity, recent.length + 1)) return 'escalate';
  return strategy === 'one_for_one' ? 'alone' : 'group';
}

export function newChild(spec: ChildSpec): Child {
  return { id: spec.id, spec, phase: 'down', ref: null, leaving: false, restart: null };
}

export function findChild(children: readonly Child[], id: string): Child | undefined {
  return children.find((child) => child.id === id);
}

export function childIds(children: readonly Child[]): string[] {
  return children.map((child) => child.id);
}

export function changeChild(
  children: readonly Child[],
  id: string,
  change: Partial<Omit<Child, 'id' | 'spec'>>,
): Child[] {
  return children.map((child) => (child.id === id ? { ...child, ...change } : child));
}

/** Marks the child as down, or takes it out if it is never to start again. */
export function settleChild(children: readonly Child[], id: string): Child[] {
  return changeChild(children, id, { phase: 'down', ref: null }).filter(
    (child) => child.id !== id || (!child.leaving && child.spec.restart !== 'temporary'),
  );
}

/** Of those that stop together: the one whose turn it is, or undefined when all are down. */
export function nextToStop(
  children: readonly Child[],
  affected: readonly string[],
): Child | undefined {
  return children.findLast((child) => affected.includes(child.id) && child.phase !== 'down');
}

/** Children that an actor left behind when an action of it threw; XState stops none of them. */
export function orphansOf(ref: AnyActorRef): AnyActorRef[] {
  const snapshot: unknown = ref.getSnapshot();
  if (!isFailedParent(snapshot)) return [];
  return Object.values(snapshot.children).flatMap((child) =>
    child.getSnapshot().status === 'active' ? [child] : orphansOf(child),
  );
}

function isFailedParent(
  snapshot: unknown,
): snapshot is { status: 'error'; children: Record<string, AnyActorRef> } {
  return (
    typeof snapshot === 'object' &&
    snapshot !== null &&
    'status' in snapshot &&
    snapshot.status === 'error' &&
    'children' in snapshot
  );
}
