/** What Codex says in the name of a session file. */

export interface SessionFileName {
  /** Codex's id of the thread; absent when the name was given by someone else. */
  threadId?: string;
  /** Set in the further file of a thread that was reverted; it belongs to the same thread. */
  segmentId?: string;
  /** How its lines are stored: Codex compresses what nobody has touched for a week. */
  encoding: 'jsonl' | 'zstd';
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const NAME = /^rollout-.*\.jsonl(\.zst)?$/s;
const IDS = new RegExp(String.raw`-(${UUID})(?:_(${UUID}))?\.jsonl(?:\.zst)?$`, 'i');
const COMPRESSED = '.zst';

/** The parts of a session file's name, or null when it is no such name. */
export function parseSessionFileName(name: string): SessionFileName | null {
  const fits = NAME.exec(name);
  if (fits === null) return null;
  const ids = IDS.exec(name);
  return {
    encoding: fits[1] === undefined ? 'jsonl' : 'zstd',
    ...(ids?.[1] === undefined ? {} : { threadId: ids[1].toLowerCase() }),
    ...(ids?.[2] === undefined ? {} : { segmentId: ids[2].toLowerCase() }),
  };
}

export function isCompressed(path: string): boolean {
  return path.endsWith(COMPRESSED);
}

/** The name or path of the same session when it is not compressed. */
export function plainOf(path: string): string {
  return isCompressed(path) ? path.slice(0, -COMPRESSED.length) : path;
}

/** The name or path of the same session when it is compressed. */
export function compressedOf(path: string): string {
  return isCompressed(path) ? path : path + COMPRESSED;
}
