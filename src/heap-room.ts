/** How far V8 lets heaps grow before it collects: those of the whole process, its threads included. */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 would rather take memory than collect. A daemon is a guest on the machine, so it takes as
 * little as it can. As long as history is read that would cost a seventh of its processor time: what
 * is in use may then grow by a fifth. New objects get little room all the same; they are either
 * gone at once, or wait for Convex.
 */
const FLAGS = {
  least: ['--memory-saver-mode', '--heap-growing-percent=0', '--semi-space-growth-factor=1'],
  forImport: ['--no-memory-saver-mode', '--heap-growing-percent=20'],
} as const;

/** What these flags are set to after the start still counts. */
export function setHeapRoom(room: keyof typeof FLAGS): void {
  for (const flag of FLAGS[room]) setFlagsFromString(flag);
}
