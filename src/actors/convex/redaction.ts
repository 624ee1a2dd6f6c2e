/** What is redacted on its way to Convex, and where it is turned off. */
import type { OwnSecret } from '../../secrets/find-secrets.ts';
import { Redactor } from '../../secrets/redactor.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { WriteJob } from '../../machines/protocol.ts';
import { isWithin, realPath } from '../within.ts';

export interface RedactionOptions {
  enabled: boolean;
  /** Working directories in which, and below which, nothing is redacted. Asked each time. */
  offIn: () => readonly string[];
  /** The bridge's own secrets; null for one that is not made yet. Asked until all are there. */
  own: () => readonly (OwnSecret | null)[];
}

export interface RedactionSettings {
  enabled: boolean;
  offIn: readonly string[];
  own: readonly OwnSecret[];
}

export class Redaction {
  readonly #options: RedactionOptions;
  #redactor: Redactor | undefined;

  constructor(options: RedactionOptions) {
    this.#options = options;
  }

  /** What it is now, for another thread: functions do not go there. */
  get settings(): RedactionSettings {
    const { enabled, offIn, own } = this.#options;
    return { enabled, offIn: offIn(), own: own().filter((secret) => secret !== null) };
  }

  /** In another thread. */
  static from({ enabled, offIn, own }: RedactionSettings): Redaction {
    return new Redaction({ enabled, offIn: () => offIn, own: () => own });
  }

  /** One of the bridge's own secrets is another now. */
  forget(): void {
    this.#redactor = undefined;
  }

  /** Null where it is turned off. A thread without a directory is redacted. */
  in(directory: string | undefined): Redactor | null {
    const { enabled, offIn } = this.#options;
    if (!enabled) return null;
    if (directory !== undefined && offIn().some((off) => isNamedWithin(off, directory)))
      return null;
    return this.always;
  }

  /** Also where it is turned off: for what is made to be given away. */
  get always(): Redactor {
    const { own } = this.#options;
    if (this.#redactor !== undefined) return this.#redactor;
    const secrets = own();
    const known = secrets.filter((secret) => secret !== null);
    const redactor = new Redactor(known);
    if (known.length === secrets.length) this.#redactor = redactor;
    return redactor;
  }

  item(item: ThreadItem, directory: string | undefined): ThreadItem {
    return this.in(directory)?.item(item) ?? item;
  }

  text(text: string, directory?: string): string {
    return this.in(directory)?.text(text).text ?? text;
  }

  /** Of a text that may have been cut in the middle of a secret. */
  cutText(text: string, directory: string | undefined): string {
    return this.in(directory)?.text(text, { isCut: true }).text ?? text;
  }

  job(job: WriteJob, directory: string | undefined): WriteJob {
    const redactor = this.in(directory);
    const { cursor, withoutDirectory = 0 } = job;
    // As each line was read, and not as the batch ended: where it ends is a matter of chance.
    const before = withoutDirectory > 0 ? this.in(undefined) : null;
    const items = job.items.map((item, n) => {
      const redacts = n < withoutDirectory ? before : redactor;
      return redacts?.item(item) ?? item;
    });
    if (redactor === null) return { ...job, items };
    return {
      ...job,
      thread: redactor.thread(job.thread),
      items,
      ...(cursor && { cursor: withoutQuotes(cursor, redactor) }),
    };
  }
}

/** Why a line was set aside may quote the line, as far as there was room. */
function withoutQuotes(cursor: NonNullable<WriteJob['cursor']>, redactor: Redactor) {
  const quarantine = cursor.quarantine.map((line) => ({
    ...line,
    reason: redactor.text(line.reason, { isCut: true }).text,
  }));
  return { ...cursor, quarantine };
}

/** Codex names a directory as it was told, or as it is. */
function isNamedWithin(parent: string, directory: string): boolean {
  return isWithin(parent, directory) || isWithin(realPath(parent), directory);
}
