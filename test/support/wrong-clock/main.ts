/**
 * Loaded before a program (`--import`): its clock, and that of all its threads and children, is
 * wrong by the milliseconds in the file `WRONG_CLOCK`, which may change while it runs. What
 * counts time from its own start (`performance.now`, timers) is not touched, as on a real machine
 * whose clock is set.
 */
import { readFileSync } from 'node:fs';

const file = process.env['WRONG_CLOCK'] ?? '';
/** Milliseconds for which a look at the file counts. */
const LOOK = 5;
const Right = Date;
let offset = 0;
let lookedAt = -LOOK;

function now(): number {
  if (performance.now() - lookedAt >= LOOK) {
    offset = Number(readFileSync(file, 'utf8'));
    lookedAt = performance.now();
  }
  return Right.now() + offset;
}

globalThis.Date = new Proxy(Right, {
  construct: (target, parameters, created) =>
    Reflect.construct(target, parameters.length === 0 ? [now()] : parameters, created),
  apply: () => new Right(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
