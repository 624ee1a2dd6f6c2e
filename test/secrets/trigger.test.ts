import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { knownSigns } from '../../src/secrets/signs.ts';
import { SecretTrigger } from '../../src/secrets/trigger.ts';
import { knownSecrets, noSecrets, secretsInPlace } from './known-secrets.ts';

const OWN = ['the-bridge-token/of+this.home', 'aé', 'xy', '🙂 secret'];
const trigger = new SecretTrigger(OWN);
/** The same, slowly. */
const expression = new RegExp(
  [...OWN.map((value) => ({ beginnings: [value], rest: '' })), ...knownSigns]
    .flatMap(({ beginnings, rest }) => beginnings.map((one) => RegExp.escape(one) + rest))
    .join('|'),
);

const piece = fc.constantFrom(
  ...knownSigns.flatMap(({ beginnings }) => beginnings),
  ...[...knownSecrets, ...secretsInPlace].map(([, text]) => text),
  ...noSecrets,
  ...OWN,
  'a1B2'.repeat(9),
  '0123456789abcdef'.repeat(3),
  'user:word@host',
  '=',
  ':',
  '"',
  ' ',
  '_',
);
/** Whole, or with something missing, or with one character that is another. */
const damaged = fc
  .tuple(
    piece,
    fc.nat(),
    fc.constantFrom('', '', '', 'cut', 'end', 'other'),
    fc.string({ maxLength: 1 }),
  )
  .map(([text, n, damage, other]) => {
    const at = n % text.length;
    if (damage === 'cut') return text.slice(at);
    if (damage === 'end') return text.slice(0, at);
    return damage === 'other' ? text.slice(0, at) + other + text.slice(at + 1) : text;
  });
const anyText = fc.string({ unit: 'binary', maxLength: 6 });

test('a text has a sign of a secret exactly when the regular expression of all signs finds one', () => {
  const found = { true: 0, false: 0 };
  fc.assert(
    fc.property(fc.array(fc.oneof(damaged, anyText), { maxLength: 5 }), (parts) => {
      const text = parts.join('');
      const has = trigger.test(text);
      found[`${has}`] += 1;
      expect(has).toBe(expression.test(text));
    }),
    { seed: 20_261_126, numRuns: Number(process.env['TRIGGER_RUNS'] ?? 20_000) },
  );
  expect(Math.min(found.true, found.false)).toBeGreaterThan(1_000);
});

test.each(OWN)('one of our own secrets is found wherever it stands: %s', (value) => {
  for (const around of ['', 'x', 'xx', 'é', 'xé', '🙂'])
    expect(trigger.test(`${around}${value}${around}`)).toBe(true);
  expect(trigger.test(value.slice(0, -1))).toBe(false);
});
