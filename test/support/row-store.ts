/** What `messages:ingest` does to the rows of one thread, without a backend around it. */
import {
  type MessageFields,
  newRow,
  updateOfClaimed,
  updateOfKnown,
} from '../../convex/messages/reconcile.ts';
import type { ThreadItem } from '../../src/codex/thread-item.ts';

export interface StoredRow {
  id: number;
  fields: MessageFields;
}

export class RowStore {
  readonly #rows: StoredRow[] = [];

  get rows(): readonly StoredRow[] {
    return this.#rows;
  }

  row(key: string): StoredRow | undefined {
    return this.#rows.find(({ fields }) => fields.key === key);
  }

  ingest(items: readonly ThreadItem[]): void {
    for (const item of items) this.#write(item);
  }

  #write(item: ThreadItem): void {
    const known = this.row(item.key);
    const claimed = item.claims === undefined ? undefined : this.row(item.claims);
    const row = known ?? claimed;
    if (!row) {
      this.#rows.push({ id: this.#rows.length, fields: newRow('thread', item, 0) });
      return;
    }
    const patch = known ? updateOfKnown(row.fields, item, 0) : updateOfClaimed(row.fields, item, 0);
    const fields: Record<string, unknown> = { ...row.fields };
    for (const [field, value] of Object.entries(patch ?? {})) {
      if (value === undefined) delete fields[field];
      else fields[field] = value;
    }
    // The patch is typed by the same fields.
    row.fields = fields as MessageFields;
  }
}
