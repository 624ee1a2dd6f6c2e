/** Makes rows of Convex equal to what files say, and writes only what differs. */

/** The table behind it. Rejections are BridgeErrors. */
export interface MirrorTable<Item> {
  /** What this machine's rows hold now. */
  rows: () => AsyncIterable<{ key: string; fields: object }>;
  /** The key of an item, and the fields that its row shall have. */
  key: (item: Item) => string;
  fields: (item: Item) => object;
  write: (items: Item[]) => Promise<void>;
  remove: (keys: string[]) => Promise<void>;
}

export class Mirror<Item> {
  readonly #table: MirrorTable<Item>;
  /** Text of each row's fields; null until the table was asked. */
  #known: Map<string, string> | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(table: MirrorTable<Item>) {
    this.#table = table;
  }

  /**
   * `kept` holds the keys of rows that stay though no item is given for them. With `fresh` the
   * table is asked what it holds: it may have been wiped, or written by an earlier life.
   */
  async sync(
    items: readonly Item[],
    kept: ReadonlySet<string>,
    fresh: boolean,
  ): Promise<{ written: number; removed: number }> {
    // One after another: nobody waits any more for one that Convex was lost in the middle of.
    const earlier = this.#last;
    const done = earlier.then(() => this.#sync(items, kept, fresh));
    this.#last = done.catch(() => {});
    return await done;
  }

  async #sync(
    items: readonly Item[],
    kept: ReadonlySet<string>,
    fresh: boolean,
  ): Promise<{ written: number; removed: number }> {
    const known = (fresh ? null : this.#known) ?? (await this.#ask());
    // A failure in the middle leaves it unknown what is there.
    this.#known = null;
    const { key, fields, write, remove } = this.#table;
    const changed = items.filter((item) => known.get(key(item)) !== canonical(fields(item)));
    const present = new Set(items.map(key));
    const gone = [...known.keys()].filter((one) => !present.has(one) && !kept.has(one));
    if (changed.length > 0) await write(changed);
    if (gone.length > 0) await remove(gone);
    for (const item of changed) known.set(key(item), canonical(fields(item)));
    for (const one of gone) known.delete(one);
    this.#known = known;
    return { written: changed.length, removed: gone.length };
  }

  async #ask(): Promise<Map<string, string>> {
    const known = new Map<string, string>();
    for await (const { key, fields } of this.#table.rows()) known.set(key, canonical(fields));
    return known;
  }
}

/** Equal fields give equal text, in whatever order a store returns them. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}
