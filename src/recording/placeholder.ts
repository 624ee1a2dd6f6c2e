/** The place of a child during a replay: it does nothing, and ends when it is told to. */
import type { ActorLogic, Snapshot } from 'xstate';

type PlaceholderSnapshot = Snapshot<undefined> & { machine?: null; value?: string };
type PlaceholderLogic = ActorLogic<PlaceholderSnapshot, { type: 'replay.end' }>;

/** `hasStates`: it is taken for a machine, which can be told to end in order. */
export function placeholder(hasStates: boolean): PlaceholderLogic {
  return hasStates ? machine : worker;
}

function logicOf(initial: PlaceholderSnapshot): PlaceholderLogic {
  return {
    getInitialSnapshot: () => initial,
    transition: (snapshot, event) =>
      event.type === 'replay.end'
        ? { ...snapshot, status: 'done', output: undefined, error: undefined }
        : snapshot,
    getPersistedSnapshot: (snapshot) => snapshot,
  };
}

const active = { status: 'active', output: undefined, error: undefined } as const;
const machine = logicOf({ ...active, machine: null, value: 'placeholder' });
const worker = logicOf(active);
