/**
 * Which file is read next. Files that are being followed come first, then others that
 * changed just now, then history from the newest to the oldest; each class has places
 * that the classes below cannot take, so that no import delays a live line.
 */

/**
 * Files read at once. Each holds up to some 1 MiB in memory, and more would not be
 * faster: one thread parses, and one database commits.
 */
const PLACES = { followed: 10, live: 6, history: 3 } as const;

/** Tails of live files that are kept with their state while they wait. */
const MAX_FOLLOWED = 128;
/** Bytes of the files that are followed: what is held of each, to read it on, is up to a tenth. */
const MAX_FOLLOWED_BYTES = 128 * 1_024 * 1_024;

export class ReadQueue {
  readonly #live = new Set<string>();
  readonly #followedDue = new Set<string>();
  /** The next one is the last. */
  readonly #history: string[] = [];
  readonly #inHistory = new Set<string>();
  /** Being read; the value says in which class's place. */
  readonly #reading = new Map<string, keyof typeof PLACES>();
  /** Their tails wait with open files, the least recently read first. The value is the file's length. */
  readonly #followed = new Map<string, number>();
  #followedBytes = 0;
  /** Not to be read for now: their tails back off. */
  readonly #held = new Set<string>();
  readonly #taken = { followed: 0, live: 0, history: 0 };

  get reading(): number {
    return this.#reading.size;
  }

  /** Files that have a tail. */
  get tailing(): number {
    let waiting = 0;
    for (const path of this.#followed.keys()) if (!this.#reading.has(path)) waiting += 1;
    return waiting + this.#reading.size + this.#held.size;
  }

  isFollowed(path: string): boolean {
    return this.#followed.has(path);
  }

  /** A file changed just now. */
  addLive(path: string): void {
    if (this.#reading.has(path) || this.#held.has(path)) return;
    if (this.#followed.has(path)) this.#followedDue.add(path);
    else this.#live.add(path);
  }

  /** Files with old changes, the oldest first. */
  addHistory(paths: readonly string[]): void {
    for (const path of paths) {
      if (this.#isKnown(path)) continue;
      this.#inHistory.add(path);
      this.#history.push(path);
    }
  }

  /** History that somebody asked for, the oldest first: it comes before all that is there. */
  addWanted(paths: readonly string[]): void {
    for (const path of paths) {
      if (this.#isKnown(path) && !this.#inHistory.has(path)) continue;
      this.#inHistory.add(path);
      this.#history.push(path);
    }
  }

  /** Of these nobody wants old changes read any more. */
  withdraw(paths: Iterable<string>): void {
    for (const path of paths) this.#inHistory.delete(path);
  }

  hasTail(path: string): boolean {
    return this.#reading.has(path) || this.#held.has(path) || this.#followed.has(path);
  }

  /** Takes a place for the most urgent file, if there is a place and a file. */
  next(): { path: string; live: boolean } | null {
    const { followed, live, history } = this.#taken;
    if (followed + live + history < PLACES.followed) {
      const path = first(this.#followedDue);
      if (path !== undefined) return this.#take(path, 'followed');
    }
    if (live < PLACES.live) {
      const path = first(this.#live);
      if (path !== undefined) return this.#take(path, 'live');
    }
    if (history < PLACES.history) {
      const path = this.#nextOfHistory();
      if (path !== undefined) return this.#take(path, 'history');
    }
    return null;
  }

  /** The file was read to its end and its tail waits. Returns the files whose tails are to go for it. */
  follow(path: string, bytes: number): string[] {
    this.#leavePlace(path);
    this.#forget(path);
    this.#followed.set(path, bytes);
    this.#followedBytes += bytes;
    const retired: string[] = [];
    for (const oldest of this.#followed.keys()) {
      const isTooMuch =
        this.#followed.size > MAX_FOLLOWED || this.#followedBytes > MAX_FOLLOWED_BYTES;
      if (oldest === path || !isTooMuch) break;
      this.#unfollow(oldest);
      retired.push(oldest);
    }
    return retired;
  }

  /** Its tail backs off. */
  hold(path: string): void {
    this.#leavePlace(path);
    this.#held.add(path);
    this.#live.delete(path);
    this.#followedDue.delete(path);
  }

  /** Its tail wants to read again. */
  unhold(path: string): void {
    this.#held.delete(path);
  }

  /** Its tail is gone. */
  drop(path: string): void {
    this.#leavePlace(path);
    this.#held.delete(path);
    this.#unfollow(path);
  }

  #take(path: string, place: keyof typeof PLACES): { path: string; live: boolean } {
    this.#live.delete(path);
    this.#followedDue.delete(path);
    this.#inHistory.delete(path);
    this.#reading.set(path, place);
    this.#taken[place] += 1;
    return { path, live: place !== 'history' };
  }

  /** Passes over what was taken meanwhile because it changed, and what backs off. */
  #nextOfHistory(): string | undefined {
    for (let path = this.#history.pop(); path !== undefined; path = this.#history.pop()) {
      if (this.#inHistory.has(path) && !this.#held.has(path)) return path;
    }
    return undefined;
  }

  #isKnown(path: string): boolean {
    return (
      this.#inHistory.has(path) ||
      this.#live.has(path) ||
      this.#followedDue.has(path) ||
      this.#reading.has(path) ||
      this.#held.has(path)
    );
  }

  #leavePlace(path: string): void {
    const place = this.#reading.get(path);
    if (place === undefined) return;
    this.#reading.delete(path);
    this.#taken[place] -= 1;
  }

  #forget(path: string): void {
    this.#followedBytes -= this.#followed.get(path) ?? 0;
    this.#followed.delete(path);
  }

  #unfollow(path: string): void {
    this.#forget(path);
    if (this.#followedDue.delete(path)) this.#live.add(path);
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  return set.values().next().value;
}
