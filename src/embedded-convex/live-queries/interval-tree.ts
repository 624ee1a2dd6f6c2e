import type { IndexInterval } from '../executor.ts';

type Interval = Pick<IndexInterval, 'from' | 'to'>;

/**
 * The half-open key intervals of one index, each with those who read it. Adding, removing
 * and asking who read a key cost the logarithm of the number of distinct intervals, so a
 * commit does not get dearer with subscriptions that it does not touch.
 *
 * A treap ordered by the start of the intervals (and their end, where starts are equal);
 * every node knows the furthest end below it.
 */
export class IntervalTree<Reader> {
  #root: Node<Reader> | null = null;

  get isEmpty(): boolean {
    return this.#root === null;
  }

  add(interval: Interval, reader: Reader): void {
    this.#root = insert(this.#root, interval, reader);
  }

  /** Nothing happens when the reader was not added with exactly this interval. */
  remove(interval: Interval, reader: Reader): void {
    this.#root = remove(this.#root, interval, reader);
  }

  /** Calls `found` for every reader of every interval that holds the key; repeats are possible. */
  visitReaders(key: Uint8Array, found: (reader: Reader) => void): void {
    visit(this.#root, key, found);
  }
}

interface Node<Reader> {
  readonly interval: Interval;
  readonly readers: Set<Reader>;
  readonly priority: number;
  left: Node<Reader> | null;
  right: Node<Reader> | null;
  /** Of this node and all below; null is the end of the index. */
  furthestEnd: Uint8Array | null;
}

function visit<Reader>(
  node: Node<Reader> | null,
  key: Uint8Array,
  found: (reader: Reader) => void,
): void {
  if (node === null || !endsAfter(node.furthestEnd, key)) return;
  visit(node.left, key, found);
  // Everything to the right starts later still.
  if (Buffer.compare(node.interval.from, key) > 0) return;
  if (endsAfter(node.interval.to, key)) for (const reader of node.readers) found(reader);
  visit(node.right, key, found);
}

function insert<Reader>(
  node: Node<Reader> | null,
  interval: Interval,
  reader: Reader,
): Node<Reader> {
  if (node === null) return newNode(interval, reader);
  const order = compareIntervals(interval, node.interval);
  if (order === 0) {
    node.readers.add(reader);
    return node;
  }
  if (order < 0) {
    node.left = insert(node.left, interval, reader);
    if (node.left.priority > node.priority) return rotateRight(node, node.left);
  } else {
    node.right = insert(node.right, interval, reader);
    if (node.right.priority > node.priority) return rotateLeft(node, node.right);
  }
  return updateEnd(node);
}

function remove<Reader>(
  node: Node<Reader> | null,
  interval: Interval,
  reader: Reader,
): Node<Reader> | null {
  if (node === null) return null;
  const order = compareIntervals(interval, node.interval);
  if (order === 0) {
    node.readers.delete(reader);
    return node.readers.size > 0 ? node : join(node.left, node.right);
  }
  if (order < 0) node.left = remove(node.left, interval, reader);
  else node.right = remove(node.right, interval, reader);
  return updateEnd(node);
}

/** One tree of two, where all of `left` is ordered before all of `right`. */
function join<Reader>(left: Node<Reader> | null, right: Node<Reader> | null): Node<Reader> | null {
  if (left === null) return right;
  if (right === null) return left;
  if (left.priority > right.priority) {
    left.right = join(left.right, right);
    return updateEnd(left);
  }
  right.left = join(left, right.left);
  return updateEnd(right);
}

function rotateRight<Reader>(node: Node<Reader>, left: Node<Reader>): Node<Reader> {
  node.left = left.right;
  left.right = updateEnd(node);
  return updateEnd(left);
}

function rotateLeft<Reader>(node: Node<Reader>, right: Node<Reader>): Node<Reader> {
  node.right = right.left;
  right.left = updateEnd(node);
  return updateEnd(right);
}

function newNode<Reader>(interval: Interval, reader: Reader): Node<Reader> {
  return {
    interval,
    readers: new Set([reader]),
    priority: Math.random(),
    left: null,
    right: null,
    furthestEnd: interval.to,
  };
}

function updateEnd<Reader>(node: Node<Reader>): Node<Reader> {
  let end = node.interval.to;
  if (node.left !== null) end = laterEnd(end, node.left.furthestEnd);
  if (node.right !== null) end = laterEnd(end, node.right.furthestEnd);
  node.furthestEnd = end;
  return node;
}

function laterEnd(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (a === null || b === null) return null;
  return Buffer.compare(a, b) >= 0 ? a : b;
}

function endsAfter(end: Uint8Array | null, key: Uint8Array): boolean {
  return end === null || Buffer.compare(end, key) > 0;
}

function compareIntervals(a: Interval, b: Interval): number {
  const byStart = Buffer.compare(a.from, b.from);
  if (byStart !== 0) return byStart;
  if (a.to === null || b.to === null) return Number(a.to === null) - Number(b.to === null);
  return Buffer.compare(a.to, b.to);
}
