/**
 * After a failed write Codex opens the file again and repeats the line, so that torn and
 * whole lines can stand on one. Pure.
 */
import { isUtf8 } from 'node:buffer';

/** How each line that Codex writes begins, since it wraps them. */
export const LINE_START = Buffer.from('{"timestamp":"');
/** So many places are looked at: a line may hold objects that only begin like one. */
const MAX_PLACES = 8;

export interface GluedPart {
  /** Where it begins in the line, in bytes, and where it ends. */
  start: number;
  end: number;
  /** Whether it is JSON by itself. */
  isWhole: boolean;
}

/** The parts of a line that is no JSON, without gaps; null when there is nothing whole in it. */
export function gluedParts(line: Buffer): GluedPart[] | null {
  const places = placesIn(line);
  const ends = [...places, line.length];
  const parts: GluedPart[] = [];
  for (let start = 0, n = 0; start < line.length;) {
    const next = ends.slice(n).find((end) => end > start && isJson(line.subarray(start, end)));
    const end = next ?? ends[n] ?? line.length;
    const last = parts.at(-1);
    if (next !== undefined) parts.push({ start, end, isWhole: true });
    else if (last?.isWhole === false) last.end = end;
    else parts.push({ start, end, isWhole: false });
    n = ends.indexOf(end) + 1;
    start = end;
  }
  return parts.some(({ isWhole }) => isWhole) ? parts : null;
}

/** Behind the start of the line; the last ones. */
function placesIn(line: Buffer): number[] {
  const places: number[] = [];
  for (let at = line.indexOf(LINE_START, 1); at !== -1; at = line.indexOf(LINE_START, at + 1)) {
    const nuls = nulsBefore(line, at);
    if (nuls > 0 && nuls < at) places.push(at - nuls);
    places.push(at);
  }
  return places.slice(-MAX_PLACES);
}

/** What a lost power supply leaves where bytes were to be written. */
function nulsBefore(line: Buffer, at: number): number {
  let nuls = 0;
  while (nuls < at && line[at - nuls - 1] === 0) nuls += 1;
  return nuls;
}

function isJson(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false;
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}
