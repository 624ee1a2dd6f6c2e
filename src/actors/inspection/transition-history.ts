/** The latest transitions of each actor, by its path: what it went through survives its restarts. */
import type { MachineCause, MachineTransition } from '../../control/inspect-frames.ts';
import type { RegistryEntry } from '../registry.ts';

/** Enough to see a loop of restarts, little enough for thousands of actors. */
const MAX_TRANSITIONS = 50;

export class TransitionHistory {
  readonly #byPath = new Map<string, MachineTransition[]>();

  add(
    { path, item }: RegistryEntry,
    to: string,
    status: MachineTransition['status'],
    at: number,
    cause: MachineCause | null,
  ) {
    const transitions = this.#byPath.get(path) ?? [];
    if (transitions.length === 0) this.#byPath.set(path, transitions);
    if (transitions.length === MAX_TRANSITIONS) transitions.shift();
    transitions.push({
      at,
      from: item.state === 'starting' ? null : item.state,
      to,
      status,
      event: cause?.type ?? null,
      source: cause?.source ?? null,
      restarts: item.restarts,
    });
  }

  of(path: string): MachineTransition[] {
    return [...(this.#byPath.get(path) ?? [])];
  }

  forget(path: string): void {
    this.#byPath.delete(path);
  }
}
