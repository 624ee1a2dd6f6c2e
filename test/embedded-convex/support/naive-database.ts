import { compareValues, convexToJson } from 'convex/values';
import type { Value } from 'convex/values';
import type { DocValue } from '../../../src/embedded-convex/doc.ts';
import type { Order, QueryJson, RangeExpression } from '../../../src/embedded-convex/query.ts';

/** The indexes of the one table `t` of the programs in these tests. */
export const indexes: Record<string, string[]> = {
  by_creation_time: [],
  by_a: ['a'],
  by_a_b: ['a', 'b'],
  by_inner: ['c.d', 'b'],
};

/** A scan of `t`: equalities on the first fields, then bounds on the next. */
export interface Scan {
  index: string;
  equal: (Value | undefined)[];
  lower: Bound | null;
  upper: Bound | null;
  order: Order;
}

export interface Bound {
  value: Value | undefined;
  inclusive: boolean;
}

/** What the database should do, in the plainest way: a list of documents, sorted when asked. */
export class NaiveDatabase {
  documents: DocValue[] = [];

  copy(): NaiveDatabase {
    const copy = new NaiveDatabase();
    copy.documents = [...this.documents];
    return copy;
  }

  find(id: string): DocValue | null {
    return this.documents.find((document) => document['_id'] === id) ?? null;
  }

  put(document: DocValue): void {
    this.remove(idOf(document));
    this.documents.push(document);
  }

  remove(id: string): void {
    this.documents = this.documents.filter((document) => document['_id'] !== id);
  }

  scan(scan: Scan): DocValue[] {
    const fields = [...(indexes[scan.index] ?? []), '_creationTime', '_id'];
    const compare = (a: DocValue, b: DocValue): number => compareBy(fields, a, b);
    const found = this.documents
      .filter((document) => matches(scan, fields, document))
      .sort(compare);
    return scan.order === 'asc' ? found : found.reverse();
  }

  /** The document that follows `last` in the scan, as things stand now. */
  following(scan: Scan, last: DocValue | null): DocValue | null {
    const fields = [...(indexes[scan.index] ?? []), '_creationTime', '_id'];
    const sign = scan.order === 'asc' ? 1 : -1;
    const isBehind = (document: DocValue): boolean =>
      last === null || compareBy(fields, document, last) * sign > 0;
    return this.scan(scan).find(isBehind) ?? null;
  }
}

export function idOf(document: DocValue): string {
  const { _id } = document;
  if (typeof _id !== 'string') throw new TypeError('a document without an id');
  return _id;
}

export function toQuery(scan: Scan): QueryJson {
  const fields = [...(indexes[scan.index] ?? []), '_creationTime', '_id'];
  const range: RangeExpression[] = scan.equal.map((value, at) => ({
    type: 'Eq',
    fieldPath: fields[at] ?? '',
    value: toJson(value),
  }));
  const fieldPath = fields[scan.equal.length] ?? '';
  const { lower, upper } = scan;
  if (lower !== null) {
    range.push({ type: lower.inclusive ? 'Gte' : 'Gt', fieldPath, value: toJson(lower.value) });
  }
  if (upper !== null) {
    range.push({ type: upper.inclusive ? 'Lte' : 'Lt', fieldPath, value: toJson(upper.value) });
  }
  const source = { type: 'IndexRange', indexName: `t.${scan.index}`, range, order: scan.order };
  return { source: source as QueryJson['source'], operators: [] };
}

function toJson(value: Value | undefined): RangeExpression['value'] {
  return value === undefined ? { $undefined: null } : convexToJson(value);
}

function matches(scan: Scan, fields: string[], document: DocValue): boolean {
  const equal = scan.equal.every(
    (value, at) => compareValues(fieldOf(document, fields[at] ?? ''), value) === 0,
  );
  const bounded = fieldOf(document, fields[scan.equal.length] ?? '');
  return equal && isAbove(bounded, scan.lower) && isBelow(bounded, scan.upper);
}

function isAbove(value: Value | undefined, bound: Bound | null): boolean {
  if (bound === null) return true;
  const order = compareValues(value, bound.value);
  return order > 0 || (bound.inclusive && order === 0);
}

function isBelow(value: Value | undefined, bound: Bound | null): boolean {
  if (bound === null) return true;
  const order = compareValues(value, bound.value);
  return order < 0 || (bound.inclusive && order === 0);
}

function compareBy(fields: string[], a: DocValue, b: DocValue): number {
  for (const field of fields) {
    const order = compareValues(fieldOf(a, field), fieldOf(b, field));
    if (order !== 0) return order;
  }
  return 0;
}

function fieldOf(document: DocValue, path: string): Value | undefined {
  let at: Value | undefined = document;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined;
    at = (at as DocValue)[name];
  }
  return at;
}
