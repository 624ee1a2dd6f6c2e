/** What Codex says in the name of a session file. */

export interface SessionFileName {
  /** Codex's id of the thread; absent when the name was given by someone else. */
  threadId?: string;
  /** Set in the further file of a thread that was reverted; it belongs to the same thread. */
  segmentId?: string;
  /** How its lines are stored. */
  encoding: 'jsonl';
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const IDS = new RegExp(String.raw`-(${UUID})(?:_(${UUID}))?\.jsonl$`, 'i');

/** The parts of a session file's name, or null when it is no such name. */
export function parseSessionFileName(name: string): SessionFileName | null {
  if (!name.startsWith('rollout-') || !name.endsWith('.jsonl')) return null;
  const ids = IDS.exec(name);
  return {
    encoding: 'jsonl',
    ...(ids?.[1] === undefined ? {} : { threadId: ids[1].toLowerCase() }),
    ...(ids?.[2] === undefined ? {} : { segmentId: ids[2].toLowerCase() }),
  };
}
