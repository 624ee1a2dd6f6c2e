/** Where in a text secrets stand. Pure. */
import { keptRules } from './kept-rules.ts';
import { privateKeys } from './private-keys.ts';
import { shapes } from './shapes.ts';
import { plainView } from './plain-view.ts';

/** One of the bridge's own, looked for by its value. */
export interface OwnSecret {
  kind: string;
  value: string;
}

export interface Secret {
  /** E.g. `openai-key`. */
  kind: string;
  /** UTF-16 code units; `end` is behind the last. */
  start: number;
  end: number;
}

/** Where several see the same one, the first of them here names it best. */
export function findSecrets(text: string, own: readonly OwnSecret[]): Secret[] {
  const view = plainView(text);
  const found = [
    ...own.flatMap((secret) => occurrences(text, secret)),
    ...privateKeys(view),
    ...keptRules(view),
    ...shapes(view, text),
  ];
  return found.map((secret) => trimmed(secret, view)).filter(({ start, end }) => start < end);
}

function occurrences(text: string, { kind, value }: OwnSecret): Secret[] {
  const secrets: Secret[] = [];
  for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + value.length)) {
    secrets.push({ kind, start: at, end: at + value.length });
  }
  return secrets;
}

/** Without the blanks at its ends, which are what has been redacted before, too. */
function trimmed({ kind, start, end }: Secret, view: string): Secret {
  const inner = view.slice(start, end);
  const head = inner.length - inner.trimStart().length;
  return { kind, start: start + head, end: start + inner.trimEnd().length };
}

/** In order; overlapping ones become one, named by whoever was first in the list. */
export function united(secrets: Secret[]): Secret[] {
  const ranked = secrets.map((secret, rank) => ({ ...secret, rank }));
  const result: (Secret & { rank: number })[] = [];
  for (const secret of ranked.toSorted((one, other) => one.start - other.start)) {
    const last = result.at(-1);
    if (last === undefined || last.end <= secret.start) {
      result.push(secret);
      continue;
    }
    last.end = Math.max(last.end, secret.end);
    if (secret.rank < last.rank) Object.assign(last, { kind: secret.kind, rank: secret.rank });
  }
  return result.map(({ kind, start, end }) => ({ kind, start, end }));
}
