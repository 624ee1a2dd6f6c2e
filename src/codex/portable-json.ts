/**
 * JSON that a tool or a model shaped, made fit for any store. Stores have limits on
 * keys (Convex: no `$` in front, ASCII only, not empty) and on depth; JSON Schema
 * arguments (`$ref`) break the first, generated trees the second. Pure.
 */
import { createHash } from 'node:crypto';
import { readStandIn } from './condense/stand-in.ts';
import type { JsonObject, JsonValue } from './thread-item.ts';

/** Convex allows 16 levels in all; the document, `data` and the field in it are some of them. */
const MAX_DEPTH = 12;
/** Convex: fields of an object, elements of an array. */
const MAX_FIELDS = 1000;
const MAX_ELEMENTS = 8000;
/** Shorter data URLs are text, unless they say that they are images. */
const MIN_IMAGE_CHARACTERS = 1024;
/** The start of an object or list, and base64 content somewhere in it. */
const JSON_WITH_CONTENT = /^\s*[{[](?=[^]*(?:;base64,|"data"\s*:\s*"[\w+/-]{64}))/;
const PLAIN_KEY = /^[\x20-\x23\x25-\x5e\x60-\x7e][\x20-\x7e]*$/;
const DATA_URL = /^data:([\w.+/-]+)?(?:;[\w=.-]+)*;base64,/;

/**
 * The value itself where any store takes it; `{ json: "…" }` in place of the whole
 * where one does not. Base64 images inside become `{ mime, bytes, sha256 }`.
 */
export function portableJson(value: unknown): JsonValue {
  const replaced = withoutImages(value, 0);
  return isPortable(replaced, 0) ? replaced : { json: JSON.stringify(replaced).toWellFormed() };
}

/** As `portableJson`, for text that may be JSON: a call's `arguments`. */
export function portableJsonText(text: string): JsonValue {
  try {
    return portableJson(JSON.parse(text));
  } catch {
    return text.toWellFormed();
  }
}

export interface EmbeddedImage {
  mime: string;
  /** Of the decoded content. */
  bytes: number;
  /** Hex, of the decoded content. */
  sha256: string;
}

/** What a data URL holds, or null when the text is none. */
export function embeddedImage(url: string): EmbeddedImage | null {
  const standIn = readStandIn(url);
  if (standIn) return standIn;
  const match = DATA_URL.exec(url.slice(0, 200));
  if (!match) return null;
  return pictureOf(match[1] ?? 'application/octet-stream', url.slice(match[0].length));
}

/** What to keep of base64 content. */
export function pictureOf(mime: string, base64: string): EmbeddedImage {
  const standIn = readStandIn(base64, mime);
  if (standIn) return standIn;
  const content = Buffer.from(base64, 'base64');
  return {
    mime,
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  };
}

/** A generated image is base64 text in `result`. */
export function withoutPicture(details: Record<string, unknown>): Record<string, unknown> {
  const { result } = details;
  if (typeof result !== 'string' || result === '') return details;
  return { ...details, result: pictureOf('image/png', result) };
}

/** Also makes every string well formed: a lone surrogate is no UTF-8. */
function withoutImages(value: unknown, depth: number): JsonValue {
  if (typeof value === 'string') return withoutImage(value, depth);
  // Deeper than any store takes: it is made text as a whole, images and all.
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return asJson(value);
  if (Array.isArray(value)) return value.map((element) => withoutImages(element, depth + 1));
  const object = value as Record<string, unknown>;
  const image = contentPartImage(object);
  if (image) return { type: String(object['type']), ...image };
  return mapValues(object, (field) => withoutImages(field, depth + 1));
}

function withoutImage(text: string, depth: number): JsonValue {
  const isContent = text.startsWith('data:image/') || text.length >= MIN_IMAGE_CHARACTERS;
  const image = isContent ? embeddedImage(text) : null;
  if (image) return { ...image };
  if (!isContent || depth > MAX_DEPTH || !JSON_WITH_CONTENT.test(text)) return text.toWellFormed();
  try {
    // What older releases write as the output of a tool is JSON within JSON.
    return JSON.stringify(withoutImages(JSON.parse(text), depth + 1)).toWellFormed();
  } catch {
    return text.toWellFormed();
  }
}

/** MCP's own shape of an image or a sound: base64 without a data URL around it. */
function contentPartImage(part: Record<string, unknown>): EmbeddedImage | null {
  const { type, data, mimeType } = part;
  if ((type !== 'image' && type !== 'audio') || typeof data !== 'string') return null;
  return pictureOf(typeof mimeType === 'string' ? mimeType : 'application/octet-stream', data);
}

function mapValues(
  object: Record<string, unknown>,
  change: (value: unknown) => JsonValue,
): JsonObject {
  // A null prototype keeps a key named `__proto__` a key.
  const result: JsonObject = Object.create(null) as JsonObject;
  for (const key of Object.keys(object)) result[key] = change(object[key]);
  return result;
}

function asJson(value: unknown): JsonValue {
  // What JSON.parse made is JSON; anything else a caller passes (undefined) is nothing.
  return value === undefined ? null : (value as JsonValue);
}

function isPortable(value: JsonValue, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    return value.length <= MAX_ELEMENTS && value.every((entry) => isPortable(entry, depth + 1));
  }
  const keys = Object.keys(value);
  return (
    keys.length <= MAX_FIELDS &&
    keys.every((key) => PLAIN_KEY.test(key) && isPortable(value[key] ?? null, depth + 1))
  );
}
