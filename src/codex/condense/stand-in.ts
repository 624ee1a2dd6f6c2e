/**
 * What stands in a condensed line for base64 content that was hashed on its way past:
 * a data URL without the data. Pure but for the mark, which no file can guess.
 */
import { randomUUID } from 'node:crypto';
import type { EmbeddedImage } from '../portable-json.ts';

const MARK = randomUUID();
const PATTERN = new RegExp(
  `^data:([^;]*);stand-in=${MARK};bytes=(\\d+);sha256=([0-9a-f]{64});base64,$`,
);
const EMBEDDED = new RegExp(PATTERN.source.slice(1, -1), 'g');
const UNKNOWN = 'application/octet-stream';

export function standInFor({ mime, bytes, sha256 }: EmbeddedImage): string {
  return `data:${mime};stand-in=${MARK};bytes=${bytes};sha256=${sha256};base64,`;
}

/** `mime` is for content that did not come with its own. */
export function readStandIn(text: string, mime = UNKNOWN): EmbeddedImage | null {
  const match = PATTERN.exec(text);
  if (!match) return null;
  const [, own = '', bytes = '0', sha256 = ''] = match;
  return { mime: own === '' ? mime : own, bytes: Number(bytes), sha256 };
}

/** Text in which a stand-in ended up where only text can be: it says what was there. */
export function withoutStandIns(text: string): string {
  if (!text.includes(MARK)) return text;
  return text.replaceAll(
    EMBEDDED,
    (_, mime: string, bytes: string, sha256: string) =>
      `[${mime === '' ? UNKNOWN : mime}, ${bytes} bytes, sha256 ${sha256}]`,
  );
}
