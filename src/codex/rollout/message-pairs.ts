/**
 * The same message twice in one file: once as the model was given it (a response
 * item), once as it was displayed (an event or item). Only the displayed one is
 * emitted; a response item waits here until it is displayed, or the turn ends. Pure.
 */
import type { ThreadItem } from '../thread-item.ts';

type Role = 'user' | 'assistant';

interface Waiting {
  role: Role;
  text: string;
  /** What to emit if it is never displayed. */
  item: ThreadItem;
}

/** Displayed messages whose response item may still come: they are next to each other. */
const MAX_DISPLAYED = 32;

export class MessagePairs {
  #displayed: { role: Role; text: string }[] = [];
  #waiting: Waiting[] = [];
  #hasDisplayed = false;

  /** False for files that hold only what the model was given: those of other programs. */
  get hasDisplayed(): boolean {
    return this.#hasDisplayed;
  }

  /** Displayed: takes its waiting response item with it, or waits for that itself. */
  displayed(role: Role, text: string): void {
    this.#hasDisplayed = true;
    if (take(this.#waiting, role, text)) return;
    this.#displayed.push({ role, text });
    if (this.#displayed.length > MAX_DISPLAYED) this.#displayed.shift();
  }

  /** Takes back what waits: it turned out to be no message. */
  forget(role: Role, text: string): void {
    take(this.#waiting, role, text);
  }

  /** True when a displayed message, not yet paired, is this one; it is paired then. */
  wasDisplayed(role: Role, text: string): boolean {
    return take(this.#displayed, role, text);
  }

  wait(role: Role, text: string, item: ThreadItem): void {
    this.#waiting.push({ role, text, item });
  }

  /** The turn is over: what was never displayed, in order. */
  endTurn(): ThreadItem[] {
    const items = this.#waiting.map(({ item }) => item);
    this.#waiting = [];
    this.#displayed = [];
    return items;
  }
}

/** The same text first; else one that holds the other. */
function take(entries: { role: Role; text: string }[], role: Role, text: string): boolean {
  const same = entries.findIndex((entry) => entry.role === role && entry.text === text);
  const index =
    same !== -1
      ? same
      : entries.findIndex((entry) => entry.role === role && oneHoldsOther(entry.text, text));
  if (index !== -1) entries.splice(index, 1);
  return index !== -1;
}

/**
 * The model's copy may have more in it: tags around images, citations for the
 * harness. The displayed text, which is empty for a lone image, is a part of it.
 */
function oneHoldsOther(left: string, right: string): boolean {
  const [shorter, longer] = left.length < right.length ? [left, right] : [right, left];
  return longer.includes(shorter.trim());
}
