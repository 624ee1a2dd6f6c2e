/**
 * Where the turns of a user began, for files in which a number of turns is taken back.
 * Pure. Releases that do so (before 0.148) write the same file on.
 */
export class UserTurns {
  /** Positions of their first lines. */
  readonly #began: number[] = [];
  /** Of the turn that goes on, until its first prompt. */
  #turn: number | undefined;
  #areNamed = false;

  /** Not every turn is a user's: a compaction has one too. */
  turnBegins(position: number): void {
    this.#turn = position;
    this.#areNamed = true;
  }

  /** A further prompt in a turn that has lines of its own belongs to it. */
  prompted(position: number): void {
    if (this.#turn === undefined && this.#areNamed) return;
    this.#began.push(this.#turn ?? position);
    this.#turn = undefined;
  }

  /** Returns the position of the first line that is taken back; undefined when there is nothing. */
  takeBack(turns: number): number | undefined {
    if (turns < 1) return undefined;
    return this.#began.splice(-turns)[0];
  }
}
