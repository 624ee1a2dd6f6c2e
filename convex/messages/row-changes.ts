import type { Doc, Id } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import type { MessageFields, MessagePatch } from './reconcile.ts';

/** A row as the batch leaves it. */
export interface BatchRow {
  readonly id: Id<'messages'> | null;
  fields: MessageFields;
  /** Of a row that was there before. */
  changes: MessagePatch | null;
}

/** The rows that one batch concerns; what happens to a row several times is written once. */
export class RowChanges {
  readonly #byKey = new Map<string, BatchRow>();
  readonly #byId = new Map<string, BatchRow>();
  readonly #rows: BatchRow[] = [];
  /** By how many the secrets taken out of the rows rise. */
  redactions = 0;
  /** The latest time that a message had and has no more: its file says that it was earlier. */
  leftTime = 0;

  constructor(stored: readonly Doc<'messages'>[]) {
    for (const row of stored) this.known(row);
  }

  /** A stored row as it stands now: the batch may have changed it. */
  known(stored: Doc<'messages'>): BatchRow {
    return (
      this.#byId.get(stored._id) ?? this.#add({ id: stored._id, fields: stored, changes: null })
    );
  }

  get(key: string): BatchRow | undefined {
    return this.#byKey.get(key);
  }

  insert(fields: MessageFields): void {
    this.#add({ id: null, fields, changes: null });
    this.redactions += fields.redactions ?? 0;
  }

  /** Of the messages that the batch names; 0 when there is none. */
  get newestMessageAt(): number {
    const messages = this.#rows.filter(({ fields }) => fields.kind === 'message');
    return messages.reduce((newest, { fields }) => Math.max(newest, fields.ts), 0);
  }

  patch(row: BatchRow, patch: MessagePatch): void {
    this.#byKey.delete(row.fields.key);
    const before = row.fields.redactions ?? 0;
    const { kind, ts } = row.fields;
    if (kind === 'message' && (patch.ts ?? ts) < ts) this.leftTime = Math.max(this.leftTime, ts);
    // A patch removes optional fields only, and those it names as undefined are not stored.
    row.fields = { ...row.fields, ...patch } as MessageFields;
    row.changes = { ...row.changes, ...patch };
    this.redactions += (row.fields.redactions ?? 0) - before;
    this.#byKey.set(row.fields.key, row);
  }

  /** New rows in the order in which their items came. */
  async write({ db }: MutationCtx): Promise<void> {
    await Promise.all(
      this.#rows.map(async ({ id, fields, changes }) => {
        if (id === null) await db.insert('messages', fields);
        else if (changes !== null) await db.patch(id, changes);
      }),
    );
  }

  #add(row: BatchRow): BatchRow {
    this.#rows.push(row);
    this.#byKey.set(row.fields.key, row);
    if (row.id !== null) this.#byId.set(row.id, row);
    return row;
  }
}
