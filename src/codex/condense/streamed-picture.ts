/** Base64 content that goes past in pieces: hashed and counted, never held. */
import { createHash } from 'node:crypto';
import { standInFor } from './stand-in.ts';

const DATA_URL = /^data:([\w.+/-]+)?(?:;[\w=.-]+)*;base64,/;
const BASE64 = /^[A-Za-z0-9+/_-]*(={0,2})$/;
/** Fields that hold base64 without a data URL around it: MCP's and the image tool's. */
const BASE64_FIELDS: ReadonlySet<string> = new Set(['data', 'result', 'blob', 'b64_json']);

export class StreamedPicture {
  readonly #mime: string;
  readonly #hash = createHash('sha256');
  /** Fewer than four characters, which make no whole bytes yet. */
  #carry = '';
  #bytes = 0;
  #isPadded = false;
  #isBase64 = true;

  private constructor(mime: string) {
    this.#mime = mime;
  }

  /** `start` is how the string of this field begins; null when that is no base64 content. */
  static of(field: string, start: string): StreamedPicture | null {
    const match = DATA_URL.exec(start.slice(0, 200));
    if (!match && !BASE64_FIELDS.has(field)) return null;
    const picture = new StreamedPicture(match ? (match[1] ?? 'application/octet-stream') : '');
    picture.push(match ? start.slice(match[0].length) : start);
    return picture.#isBase64 ? picture : null;
  }

  push(characters: string): void {
    if (!this.#isBase64 || characters === '') return;
    const match = this.#isPadded ? /^=?$/.exec(characters) : BASE64.exec(characters);
    this.#isBase64 = match !== null;
    if (characters.endsWith('=')) this.#isPadded = true;
    const text = this.#carry + characters;
    const whole = text.length - (text.length % 4);
    this.#carry = text.slice(whole);
    this.#take(text.slice(0, whole));
  }

  /** What stands for it; null when it turned out to be something else. */
  end(): string | null {
    if (!this.#isBase64) return null;
    this.#take(this.#carry);
    return standInFor({
      mime: this.#mime,
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
    });
  }

  #take(base64: string): void {
    const content = Buffer.from(base64, 'base64');
    this.#bytes += content.length;
    this.#hash.update(content);
  }
}
