import type { Commit, ReadSet } from '../executor.ts';
import { IntervalTree } from './interval-tree.ts';

/** Who read what, over all indexes: from a commit to those whose result it may change. */
export class ReadIndex<Reader> {
  readonly #trees = new Map<string, IntervalTree<Reader>>();

  add(readSet: ReadSet, reader: Reader): void {
    for (const interval of readSet) {
      let tree = this.#trees.get(interval.index);
      if (tree === undefined) {
        tree = new IntervalTree();
        this.#trees.set(interval.index, tree);
      }
      tree.add(interval, reader);
    }
  }

  remove(readSet: ReadSet, reader: Reader): void {
    for (const interval of readSet) {
      const tree = this.#trees.get(interval.index);
      tree?.remove(interval, reader);
      if (tree?.isEmpty === true) this.#trees.delete(interval.index);
    }
  }

  /** Each reader once. */
  readersOf(writes: Commit['writes']): Set<Reader> {
    const readers = new Set<Reader>();
    for (const { index, key } of writes) {
      this.#trees.get(index)?.visitReaders(key, (reader) => readers.add(reader));
    }
    return readers;
  }
}
