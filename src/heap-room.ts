/** How far V8 lets heaps grow before it collects: those of the whole process, its threads included. */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 would rather take memory than collect. A daemon is a guest on the machine, so it takes as
 * little as it can, and new objects get little room: they are either gone at once, or wait for
 * Convex. As long as history is read, to collect at every chance would cost too much: what is in
 * use may grow by more than half. It is compacted all the same, or gaps would add up to more.
 */
const FLAGS = {
  least: ['--memory-saver-mode', '--heap-growing-percent=0', '--semi-space-growth-factor=1'],
  forImport: ['--heap-growing-percent=60'],
} as const;

/** What these flags are set to after the start still counts. */
export function setHeapRoom(room: keyof typeof FLAGS): void {
  for (const flag of FLAGS[room]) setFlagsFromString(flag);
}
