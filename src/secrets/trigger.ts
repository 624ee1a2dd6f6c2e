/**
 * One cheap look that tells texts without secrets, nearly all there are, from those
 * that the rules have to read.
 */
import { knownSigns, type Sign } from './signs.ts';

/** Character codes below this are looked at: signs have no others. */
const ASCII = 128;
const PAIRS = ASCII * ASCII;
/** Three such characters; no sign begins with fewer, but perhaps a secret of our own does. */
const USUAL = /^[\0-\x7f]{3,}$/;
/** From the most frequent one in texts to the rarest; other characters are rarer. */
const FREQUENT = ' etaoinsrhldcumfpgwybvkxjqz';

/** What is looked for: three characters in a row of each beginning, the rarest that it has. */
interface Index {
  /** By the second and third: 0 where they may be such, else how much further the next may be. */
  steps: Uint8Array;
  /** By all three: a bit where they are such. */
  bits: Uint8Array;
  /** By all three: the signs that have them, and how many characters before. */
  signs: Map<number, { before: number; pattern: RegExp }[]>;
}

/**
 * A regular expression of all signs would try each of them at each character. This looks at two
 * characters at once, and mostly goes on by two. Only where there are three that are rare, and
 * in a sign, a regular expression of that sign decides.
 */
export class SecretTrigger {
  readonly #index: Index;
  /** Values of another form. */
  readonly #unusual: readonly string[];

  /** `values`: what is to be found besides the signs, as it is. */
  constructor(values: readonly string[]) {
    const usual = values.filter((value) => USUAL.test(value));
    this.#unusual = values.filter((value) => !USUAL.test(value));
    this.#index = withSigns(
      KNOWN,
      usual.map((value) => ({ beginnings: [value], rest: '' })),
    );
  }

  test(text: string): boolean {
    const { length } = text;
    const { steps } = this.#index;
    for (let at = 2; at < length;) {
      const second = text.charCodeAt(at - 1);
      const third = text.charCodeAt(at);
      const step = (second | third) < ASCII ? (steps[second * ASCII + third] ?? 0) : 2;
      if (step === 0 && this.#isSign(text, at - 2, second * ASCII + third)) return true;
      at += step === 0 ? 1 : step;
    }
    return this.#unusual.some((value) => text.includes(value));
  }

  #isSign(text: string, at: number, pair: number): boolean {
    const first = text.charCodeAt(at);
    if (first >= ASCII) return false;
    const code = first * PAIRS + pair;
    const { bits, signs } = this.#index;
    if ((((bits[code >> 3] ?? 0) >> (code & 7)) & 1) === 0) return false;
    const some = signs.get(code) ?? [];
    return some.some(({ before, pattern }) => {
      if (before > at) return false;
      pattern.lastIndex = at - before;
      return pattern.test(text);
    });
  }
}

const KNOWN = withSigns(
  {
    steps: new Uint8Array(PAIRS).fill(2),
    bits: new Uint8Array((PAIRS * ASCII) / 8),
    signs: new Map(),
  },
  knownSigns,
);

function withSigns(index: Index, added: readonly Sign[]): Index {
  const [steps, bits] = [index.steps.slice(), index.bits.slice()];
  const signs = new Map(index.signs);
  for (const { beginnings, rest } of added) {
    for (const beginning of beginnings) {
      const before = rarest(beginning);
      const [first, second, third] = [0, 1, 2].map((n) => beginning.charCodeAt(before + n)) as [
        number,
        number,
        number,
      ];
      const [head, tail] = [first * ASCII + second, second * ASCII + third];
      steps[head] = Math.min(steps[head] ?? 0, 1);
      steps[tail] = 0;
      const code = first * PAIRS + tail;
      bits[code >> 3] = (bits[code >> 3] ?? 0) | (1 << (code & 7));
      const sign = { before, pattern: new RegExp(RegExp.escape(beginning) + rest, 'y') };
      signs.set(code, [...(signs.get(code) ?? []), sign]);
    }
  }
  return { steps, bits, signs };
}

/** Where in the text the three characters are that are met least. */
function rarest(text: string): number {
  let [place, least] = [0, Infinity];
  for (let at = 0; at + 3 <= text.length; at += 1) {
    const frequency = Array.from(text.slice(at, at + 3), (c) =>
      FREQUENT.includes(c) ? FREQUENT.length - FREQUENT.indexOf(c) : 0,
    ).reduce((sum, one) => sum + one);
    if (frequency < least) [place, least] = [at, frequency];
  }
  return place;
}
