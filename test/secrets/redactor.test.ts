import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { JsonObject, JsonValue, ThreadItem } from '../../src/codex/thread-item.ts';
import { ruleNames, UNUSED_RULES, usedKinds } from '../../src/secrets/kept-rules.ts';
import { Redactor } from '../../src/secrets/redactor.ts';
import { knownSecrets, noSecrets, secretsInPlace } from './known-secrets.ts';

const OWN = 'the-bridge-token/of+this.home';
const redactor = new Redactor([{ kind: 'bridge-token', value: OWN }]);
const redact = (text: string) => redactor.text(text);
const item = (fields: Partial<ThreadItem>): ThreadItem => ({
  key: 'turn/item',
  kind: 'message',
  ts: 1,
  ...fields,
});

describe('a secret is replaced by the name of its kind', () => {
  test.each(knownSecrets)('%s %.24s', (kind, secret) => {
    expect(redact(`before ${secret} after`)).toEqual({
      text: `before [redacted: ${kind}] after`,
      count: 1,
    });
  });

  test.each(secretsInPlace)('%s in %.60s', (kind, text, secret) => {
    const { text: redacted, count } = redact(text);
    expect(count).toBe(1);
    expect(redacted).toContain(`[redacted: ${kind}]`);
    expect(redacted).not.toContain(secret);
    // What is around it stays.
    expect(redacted.startsWith(text.slice(0, text.indexOf(secret)))).toBe(true);
  });

  it("takes out the bridge's own, by value", () => {
    expect(redact(`curl -d ${OWN}:x`)).toEqual({
      text: 'curl -d [redacted: bridge-token]:x',
      count: 1,
    });
  });
});

test.each(noSecrets)('%.70s stays', (text) => {
  expect(redact(text)).toEqual({ text, count: 0 });
  expect(redactor.text(`${text}\n`, { isCut: true }).count).toBe(0);
});

/** The same texts every time. */
const SEED = 20_261_126;

const anySecret = fc.constantFrom(...knownSecrets.map(([, secret]) => secret), OWN);
const longSecret = anySecret.filter(({ length }) => length > 35);
const whole = fc.constantFrom(...knownSecrets, ['bridge-token', OWN] as const);
const before = fc.constantFrom(
  '',
  ' ',
  '\n',
  '"',
  "'",
  '`',
  '=',
  ': ',
  '(',
  '/',
  ',',
  '> ',
  '\\n',
  '\\\\n',
  '\\t',
  '\\u001b[32m',
  '\u001b[1;31m',
  '\\x1b[0m',
  'token%3D',
  'key="',
  '\u2028',
  'é ',
  '$',
  '@',
);
const after = fc.constantFrom(
  '',
  ' ',
  '\n',
  '"',
  "'",
  '`',
  ')',
  ',',
  ';',
  '\\n',
  '\\"',
  '\u001b[0m',
  '…',
  '\u2028',
);
/** Without letters that would go on the word. */
const around = fc.string({
  unit: fc.constantFrom(' ', 'word', ' und ', '\n', '{', '}', '🙂', ' 1 '),
});

describe('whatever stands around it', () => {
  it('no secret survives in a text, and what is redacted stays as it is', () => {
    const texts = fc.tuple(around, before, whole, after, around);
    fc.assert(
      fc.property(texts, ([head, open, [, secret], close, tail]) => {
        const text = `${head} ${open}${secret}${close} ${tail}`;
        const redacted = redact(text);
        expect(redacted.text).not.toContain(secret);
        expect(redacted.count).toBeGreaterThan(0);
        expect(redact(redacted.text)).toEqual({ text: redacted.text, count: 0 });
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  it('none survives in the data of an item, however deep, nor in a name', () => {
    const place = fc.letrec<{ value: (secret: string) => JsonValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant((secret: string) => secret),
        fc.constant((secret: string) => ['curl', '-H', `X-Key: ${secret}`]),
        fc.constant((secret: string) => JSON.stringify({ output: `line\n${secret}\nline` })),
        fc.constant((secret: string) => JSON.stringify({ inner: JSON.stringify([secret]) })),
        fc.constant((secret: string) => `PATH=/bin\nA_SECRET=${secret}\nHOME=/`),
        tie('value').map((inner) => (secret: string) => ({ field: inner(secret) })),
        tie('value').map((inner) => (secret: string) => [1, inner(secret), null]),
        fc.constant((secret: string) => ({ [secret]: true })),
      ),
    })).value;
    fc.assert(
      fc.property(place, anySecret, (hide, secret) => {
        const redacted = redactor.item(
          item({ data: { status: 'completed', hidden: hide(secret) } }),
        );
        const said = JSON.stringify(redacted);
        expect(said).not.toContain(JSON.stringify(secret).slice(1, -1));
        expect(said).not.toContain(secret.split('\n')[1] ?? secret);
        expect(redacted.redactions).toBeGreaterThan(0);
        expect(redactor.item(redacted)).toBe(redacted);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  it('where a cut text ends within a secret, not much of it is left', () => {
    fc.assert(
      fc.property(longSecret, fc.nat(), fc.boolean(), (secret, at, isMarked) => {
        // The first line of a private key or the name of a deployment is no secret yet.
        const least = /^(?:-----|https:|prod:)/.test(secret) ? 60 : 30;
        const kept = secret.slice(0, least + (at % (secret.length - least)));
        const text = isMarked ? `out: ${kept}…12 tokens truncated…more` : `out: ${kept}`;
        const { text: redacted } = redactor.text(text, { isCut: !isMarked });
        // The bridge's own begins like nothing in particular: it is known at the end alone.
        const isKnown = secret !== OWN || !isMarked;
        expect(isKnown && redacted.includes(kept)).toBe(false);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });
});

describe('an item', () => {
  const [, key] = knownSecrets[0] ?? ['', ''];

  it('without a secret is the same object', () => {
    const said = item({ text: 'hello', data: { a: [1, 'two', { three: null }] } });
    expect(redactor.item(said)).toBe(said);
  });

  it('says how many there were in text and data together', () => {
    const redacted = redactor.item(item({ text: `${key} and ${key}`, data: { output: key } }));
    expect(redacted.redactions).toBe(3);
  });

  it('that is read again after more of it was redacted counts what it had and what is new', () => {
    const once = redactor.item(item({ text: key }));
    expect(redactor.item({ ...once, text: `${once.text} ${key}` }).redactions).toBe(2);
  });

  it('that grows shows no half of a secret on the way', () => {
    const text = `the key is ${key}, keep it`;
    for (let length = 1; length <= text.length; length += 1) {
      const { text: seen = '' } = redactor.item(
        item({ partial: true, text: text.slice(0, length) }),
      );
      expect(seen).not.toContain(key.slice(0, 20));
    }
  });

  it('that was cut shows no half of a secret', () => {
    const truncated = { bytes: 1e6, path: '/a', offset: 0 };
    const cut = redactor.item(
      item({ truncated, text: 'x', data: { output: `a ${key.slice(0, 40)}` } }),
    );
    expect(cut.data).toEqual({ output: 'a [redacted: openai-key]' });
  });

  it('keeps a name `__proto__` and names that become equal apart', () => {
    const data = JSON.parse(`{"__proto__":"${key}","${key}":1,"${key.slice(0, -1)}X":2}`);
    const redacted = redactor.item(item({ data }));
    expect(Object.entries(redacted.data as JsonObject)).toEqual([
      ['__proto__', '[redacted: openai-key]'],
      ['[redacted: openai-key]', 1],
      ['[redacted: openai-key] 2', 2],
    ]);
  });

  it('leaves titles without a secret, and cuts it from one that was shortened', () => {
    const title = { text: `use ${key.slice(0, 40)}…`, source: 'prompt' as const };
    expect(redactor.thread({ source: 'external', title }).title?.text).toBe(
      'use [redacted: openai-key]…',
    );
    const patch = { source: 'external' as const, title: { ...title, text: 'Fix the tests' } };
    expect(redactor.thread(patch)).toBe(patch);
  });
});

describe('a private key', () => {
  const lines = (knownSecrets.find(([kind]) => kind === 'private-key')?.[1] ?? '').split('\n');
  const body = lines.slice(1, -1);

  test.each([
    [
      'with line numbers',
      lines.map((line, n) => `${String(n + 1).padStart(6)}\t${line}`).join('\n'),
    ],
    ['in a diff', lines.map((line) => `+${line}`).join('\n')],
    ['in a quotation', lines.map((line) => `> ${line}`).join('\n')],
    ['as a string of JSON', JSON.stringify(lines.join('\n'))],
    ['as JSON within JSON', JSON.stringify(JSON.stringify({ key: lines.join('\n') }))],
    ['without its end', lines.slice(0, 5).join('\n')],
    ['without its beginning', lines.slice(3).join('\n')],
    [
      'with its middle cut out',
      [...lines.slice(0, 3), '…2 lines truncated…', ...lines.slice(6)].join('\n'),
    ],
    ['with Windows line ends', lines.join('\r\n')],
    [
      'encrypted',
      [lines[0], 'Proc-Type: 4,ENCRYPTED', 'DEK-Info: AES-128-CBC,00', '', ...lines.slice(1)].join(
        '\n',
      ),
    ],
  ])('%s is taken out whole', (_, text) => {
    const { text: redacted } = redact(`It says:\n${text}\nand so on`);
    for (const line of body) expect(redacted).not.toContain(line);
    expect(redacted).toContain('[redacted: private-key]');
    expect(redacted).toContain('and so on');
  });
});

it('every rule that is kept elsewhere is used under a name of ours, or is known not to be', () => {
  expect(ruleNames.filter((name) => !(name in usedKinds) && !UNUSED_RULES.has(name))).toEqual([]);
  expect(Object.keys(usedKinds).filter((name) => !ruleNames.includes(name))).toEqual([]);
});
