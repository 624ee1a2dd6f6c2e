/** The lines that were set aside last, for who asks what is wrong; the cursors keep all of them. */
import type { FileCursor } from '../../machines/protocol.ts';
import type { SetAsideLine } from '../../machines/sessions-events.ts';
import type { StoredCursor } from './session-files.ts';

const MAX_LINES = 20;
/** One bad file must not hide the others. */
const MAX_OF_FILE = 5;

type LoadCursors = () => AsyncIterable<readonly StoredCursor[]>;

export class RecentlySetAside {
  /** Of the files that have such lines; the one that got its last most recently is last. */
  readonly #files = new Map<string, SetAsideLine[]>();

  /** Newest first. */
  get lines(): SetAsideLine[] {
    return [...this.#files.values()].flat().toReversed().slice(0, MAX_LINES);
  }

  /** The same cursors; what they say of lines set aside is remembered instead of all before. */
  learningFrom(loadCursors: LoadCursors): LoadCursors {
    const learn = this.#learn.bind(this);
    const forget = () => this.#files.clear();
    return async function* () {
      forget();
      for await (const cursors of loadCursors()) {
        learn(cursors);
        yield cursors;
      }
    };
  }

  #learn(cursors: readonly StoredCursor[]): void {
    const affected = cursors.filter(({ quarantine }) => quarantine.length > 0);
    for (const cursor of affected.toSorted((a, b) => (a.updatedAt ?? 0) - (b.updatedAt ?? 0))) {
      this.moved(cursor);
    }
  }

  /** A cursor was moved; it tells all that is set aside in its file now. */
  moved({ path, quarantine }: FileCursor): void {
    const known = this.#files.get(path);
    const last = quarantine.at(-1);
    if (last === undefined) {
      this.#files.delete(path);
      return;
    }
    const before = known?.at(-1);
    const isSame =
      before?.offset === last.offset &&
      before.sha256 === last.sha256 &&
      before.parserVersion === last.parserVersion;
    if (isSame && known?.length === Math.min(quarantine.length, MAX_OF_FILE)) return;
    this.#files.delete(path);
    this.#files.set(
      path,
      quarantine.slice(-MAX_OF_FILE).map((line) => ({ path, ...line })),
    );
    const oldest = this.#files.keys().next().value;
    if (this.#files.size > MAX_LINES && oldest !== undefined) this.#files.delete(oldest);
  }
}
