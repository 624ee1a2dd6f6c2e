import { randomUUID } from 'node:crypto';

/** Convex's own: larger transitions travel in parts. In UTF-16 units, near enough to bytes. */
const maxPartLength = 5_000_000;

/** The messages that carry a transition: itself, or its parts in order. */
export function splitTransition(text: string, partLength = maxPartLength): string[] {
  if (text.length <= partLength) return [text];
  const transitionId = randomUUID();
  const totalParts = Math.ceil(text.length / partLength);
  return Array.from({ length: totalParts }, (_, partNumber) =>
    JSON.stringify({
      type: 'TransitionChunk',
      // May cut a pair of surrogates; JSON escapes the halves, and joined they are whole again.
      chunk: text.slice(partNumber * partLength, (partNumber + 1) * partLength),
      partNumber,
      totalParts,
      transitionId,
    }),
  );
}

/** The JavaScript client joins parts since 1.28; other clients are not known to. */
export function joinsChunks(clientVersion: string | null): boolean {
  const [major = 0, minor = 0] = (clientVersion ?? '').split('.').map(Number);
  return major > 1 || (major === 1 && minor >= 28);
}
