/**
 * One row for two sightings. What `codex exec` streams has no identity of its own
 * (`item_0` in every process); the session file, a moment later, has. Both come in
 * the same order, so they are matched kind by kind, with the text as check. What an
 * app-server streams has the file's own key from the first token on, and is matched by
 * that alone. Whichever comes first makes the row. Pure; one object a run.
 *
 * What the stream shows and the file never has (warnings, a todo list made inside of
 * a script, a review's items) stays a row of the stream: `leftover` settles it.
 */
import { interrupted } from './item-content.ts';
import { mayBeStreamed, outcomesAgree, signature } from './sighting-signature.ts';
import type { ThreadItem } from './thread-item.ts';
import { timeOfUuid } from './time-of-uuid.ts';

export interface SightedRun {
  runId: string;
  /** Milliseconds since the epoch: turns that began before are not this run's. */
  startedAt: number;
}

/** A row that the stream made, and what has become of it. */
interface StreamedRow {
  item: ThreadItem;
  signature: string;
  /** The item of the file that it turned into, which may have come before it. */
  filed?: ThreadItem;
  /** Its end was seen in the stream too: another end is another item's. */
  endSeen: boolean;
}

export function createSightings(run: SightedRun): Sightings {
  return new Sightings(run);
}

/** Goes on after a crash, from the rows that are still provisional. */
export function restoreSightings(run: SightedRun, rows: readonly ThreadItem[]): Sightings {
  return new Sightings(run, rows);
}

export class Sightings {
  readonly #run: SightedRun;
  readonly #rows = new Map<string, StreamedRow>();
  /** What the file delivered, by key, with the row that each claimed. */
  readonly #filed = new Map<string, { claims?: string }>();
  /** Items of the file that the stream has not shown yet, in order. */
  #ahead: ThreadItem[] = [];
  /** Calls that the file began and has not ended: the stream shows them. */
  readonly #begun = new Map<string, ThreadItem>();
  /** The turns in the file that were looked at: whether each is the run's. */
  readonly #turns = new Map<string, boolean>();
  readonly #openTurns = new Map<string, ThreadItem>();
  #promptClaimed = false;
  /** One process, one prompt: what begins after its turn has ended is somebody else's. */
  #turnEnded = false;
  /** When it was over: its stream shows nothing more, and what begins later is somebody else's too. */
  #settledAt: number | undefined;

  constructor(run: SightedRun, restored?: readonly ThreadItem[]) {
    this.#run = run;
    for (const row of restored ?? []) this.#addRow(row);
    this.#promptClaimed = restored !== undefined && !this.#rows.has(this.#promptKey);
  }

  /** The items of the stream that are to be written: not those that the file has delivered. */
  streamed(items: readonly ThreadItem[]): ThreadItem[] {
    return items.flatMap((item) => this.#streamedItem(item));
  }

  /** The items of the file that are to be written, with `claims` where the stream was first. */
  filed(items: readonly ThreadItem[]): ThreadItem[] {
    return items.flatMap((item) => this.#filedItem(item));
  }

  /**
   * The run has ended and its file has been read: what only one side saw, as final.
   * The file may still be late: what it brings afterwards claims its row as before.
   * `now` is in milliseconds since the epoch.
   */
  leftover(now: number): ThreadItem[] {
    this.#settledAt ??= now;
    const begun = [...this.#begun.values()].map((item) => this.#settledCall(item));
    this.#begun.clear();
    // The stream has ended, and will not show these.
    this.#ahead = [];
    const unclaimed = [...this.#rows.values()].filter((row) => !row.filed);
    const turns = [...this.#openTurns.values()].map(presumedOver);
    return [
      ...this.#settledPrompt(),
      ...begun,
      ...unclaimed.map(({ item }) => settled(item)),
      ...turns,
    ];
  }

  #streamedItem(item: ThreadItem): ThreadItem[] {
    if (!isLocal(item.key)) return this.#streamedAsFiled(item);
    const row = this.#rows.get(item.key);
    if (!row) return this.#firstStreamed(item);
    if (row.filed) return this.#streamedAfterFile(row, item);
    if (!item.partial && this.#endsAnother(row, item)) return [];
    this.#addRow(item);
    return [item];
  }

  /** Under the key that it has in the file: what the file has delivered stands. */
  #streamedAsFiled(item: ThreadItem): ThreadItem[] {
    if (item.claims === this.#promptKey) this.#claimPrompt(item);
    const isFiled = this.#filed.has(item.key);
    const row = this.#addRow(item);
    if (isFiled) fileAs(row, item);
    return isFiled ? [] : [item];
  }

  #firstStreamed(item: ThreadItem): ThreadItem[] {
    const row = this.#addRow(item);
    const filed = this.#takeAhead(item);
    if (!filed) return [item];
    fileAs(row, filed);
    return [];
  }

  /**
   * The file was first, and made this row another's than the stream meant: the item
   * goes to the row that is still free.
   */
  #streamedAfterFile(row: StreamedRow, item: ThreadItem): ThreadItem[] {
    if (item.partial || row.endSeen) return [];
    const free = [...this.#rows.values()].find(
      (other) => !other.filed && !other.endSeen && other.signature === row.signature,
    );
    if (!free || !row.filed || outcomesAgree(row.filed, item)) {
      row.endSeen = true;
      release(row);
      return [];
    }
    const moved = { ...item, key: free.item.key };
    this.#addRow(moved);
    return [moved];
  }

  /** The end of what the file has already delivered, in a row of something that began alike. */
  #endsAnother(row: StreamedRow, item: ThreadItem): boolean {
    for (const other of this.#rows.values()) {
      const sameKind = other !== row && other.signature === row.signature;
      if (sameKind && other.filed && !other.endSeen && outcomesAgree(other.filed, item)) {
        other.endSeen = true;
        release(other);
        return true;
      }
    }
    return false;
  }

  #filedItem(item: ThreadItem): ThreadItem[] {
    if (item.claims !== undefined) return [item];
    if (!this.#isOfRun(item)) return [item];
    if (item.kind === 'turn') this.#noteTurn(item);
    const known = this.#filed.get(item.key);
    if (known) return [this.#ofRun(item, known.claims)];
    if (item.partial && item.kind !== 'turn') return this.#begunInFile(item);
    this.#begun.delete(item.key);
    const claims = this.#claim(item);
    this.#filed.set(item.key, claims === undefined ? {} : { claims });
    const isLate = item.partial === true && this.#settledAt !== undefined;
    return [this.#ofRun(isLate ? presumedOver(item) : item, claims)];
  }

  #begunInFile(call: ThreadItem): ThreadItem[] {
    if (this.#settledAt !== undefined) return [{ ...this.#settledCall(call), partial: true }];
    this.#begun.set(call.key, call);
    return [];
  }

  #claim(item: ThreadItem): string | undefined {
    const own = this.#rows.get(item.key);
    if (own) {
      fileAs(own, item);
      return undefined;
    }
    if (item.kind === 'message' && item.role === 'user' && !this.#promptClaimed) {
      this.#claimPrompt(item);
      return this.#promptKey;
    }
    if (!mayBeStreamed(item)) return undefined;
    const row = this.#rowFor(item);
    if (row) fileAs(row, item);
    else this.#ahead.push(item);
    return row?.item.key;
  }

  #claimPrompt(item: ThreadItem): void {
    this.#promptClaimed = true;
    const row = this.#rows.get(this.#promptKey);
    if (row) fileAs(row, item);
  }

  /** Rows that ended alike before rows that run, and those before rows that ended otherwise. */
  #rowFor(item: ThreadItem): StreamedRow | undefined {
    const wanted = signature(item);
    const rows = [...this.#rows.values()].filter(
      (row) =>
        !row.filed && row.signature === wanted && isLocal(row.item.key) && mayBeStreamed(row.item),
    );
    return (
      rows.find((row) => row.endSeen && outcomesAgree(row.item, item)) ??
      rows.find((row) => !row.endSeen) ??
      rows[0]
    );
  }

  #takeAhead(item: ThreadItem): ThreadItem | undefined {
    const wanted = signature(item);
    const alike = this.#ahead.filter((filed) => signature(filed) === wanted);
    const taken =
      (item.partial ? undefined : alike.find((f) => outcomesAgree(f, item))) ?? alike[0];
    this.#ahead = this.#ahead.filter((filed) => filed !== taken);
    return taken;
  }

  /** Every run has a row for its prompt from the moment it was queued; its text stays. */
  #settledPrompt(): ThreadItem[] {
    if (this.#promptClaimed || this.#rows.has(this.#promptKey)) return [];
    const { runId, startedAt } = this.#run;
    return [{ key: this.#promptKey, kind: 'message', role: 'user', ts: startedAt, runId }];
  }

  /** A call without an end in the file, which the stream may have seen to its end. */
  #settledCall(call: ThreadItem): ThreadItem {
    const own = this.#rows.get(call.key);
    const row = own ?? this.#rowFor(call);
    const claims = own ? undefined : row?.item.key;
    this.#filed.set(call.key, claims === undefined ? {} : { claims });
    if (!row) return this.#ofRun(interrupted(call), undefined);
    row.filed = call;
    const { kind, text, data } = row.item;
    const seen = {
      ...call,
      kind,
      ...(text === undefined ? {} : { text }),
      ...(data ? { data } : {}),
      ...(row.item.redactions === undefined ? {} : { redactions: row.item.redactions }),
    };
    return this.#ofRun(interrupted(seen), claims);
  }

  #addRow(item: ThreadItem): StreamedRow {
    const row = { item, signature: signature(item), endSeen: !isOpen(item) };
    this.#rows.set(item.key, row);
    return row;
  }

  #isOfRun({ key, kind, turnId, ts }: ThreadItem): boolean {
    if (turnId === undefined) return this.#isOfItsTime(ts);
    const known = this.#turns.get(turnId);
    if (known !== undefined) return known;
    const began = kind === 'turn' && key === turnId ? ts : (timeOfUuid(turnId) ?? ts);
    const isOfRun = this.#isOfItsTime(began);
    this.#turns.set(turnId, isOfRun);
    return isOfRun;
  }

  #isOfItsTime(ts: number): boolean {
    const isBefore = ts < this.#run.startedAt;
    return !isBefore && !this.#turnEnded && ts <= (this.#settledAt ?? Infinity);
  }

  #noteTurn(turn: ThreadItem): void {
    if (turn.partial) {
      this.#openTurns.set(turn.key, turn);
      return;
    }
    this.#openTurns.delete(turn.key);
    this.#turnEnded = true;
  }

  #ofRun(item: ThreadItem, claims: string | undefined): ThreadItem {
    const ofRun = { ...item, runId: this.#run.runId };
    return claims === undefined ? ofRun : { ...ofRun, claims };
  }

  get #promptKey(): string {
    return `run/${this.#run.runId}/prompt`;
  }
}

/** A key of the stream alone. */
function isLocal(key: string): boolean {
  return key.startsWith('run/');
}

function fileAs(row: StreamedRow, item: ThreadItem): void {
  row.filed = item;
  release(row);
}

/**
 * What both sides have shown to its end is compared with nothing any more. Outputs are
 * large, and the runs of weeks are remembered.
 */
function release(row: StreamedRow): void {
  if (!row.filed || !row.endSeen) return;
  const { key, kind, ts } = row.item;
  row.item = row.filed = { key, kind, ts };
  row.signature = '';
}

function isOpen(item: ThreadItem): boolean {
  return item.partial === true || item.data?.['status'] === 'in_progress';
}

/** Its end may yet be in the file, and shall replace this. */
function presumedOver(item: ThreadItem): ThreadItem {
  return { ...interrupted(item), partial: true };
}

function settled(item: ThreadItem): ThreadItem {
  const { provisional: _, ...rest } = interrupted(item);
  return rest;
}
