import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { tokens } from '../../../src/embedded-convex/search/tokens.ts';

test('a text is cut at everything that is no letter and no digit', () => {
  expect(tokens('Fix the_bug in src/app.ts (line 42)!')).toEqual([
    'fix',
    'the',
    'bug',
    'in',
    'src',
    'app',
    'ts',
    'line',
    '42',
  ]);
  expect(tokens('')).toEqual([]);
  expect(tokens('… — 🙂 \0 "\' *')).toEqual([]);
});

test('letters of every script count, with their accents', () => {
  expect(tokens('Ça Straße ÉTÉ 数据库 Привет ½')).toEqual([
    'ça',
    'straße',
    'été',
    '数据库',
    'привет',
    '½',
  ]);
});

test('lower case goes by character, so the same letter is the same at the end of a word', () => {
  expect(tokens('ΟΔΟΣ ΣΟΔ')).toEqual(['οδοσ', 'σοδ']);
});

test('words of 32 bytes or more are left out', () => {
  expect(tokens(`${'a'.repeat(31)} ${'b'.repeat(32)} ${'é'.repeat(15)} ${'é'.repeat(16)}`)).toEqual(
    ['a'.repeat(31), 'é'.repeat(15)],
  );
});

test('a text gives the same terms, whatever else it stands beside', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'B', '7', ' ', '_', '\0', '\x7f') });
  fc.assert(
    fc.property(letters, (text) => {
      expect(tokens(`${text} é`)).toEqual([...tokens(text), 'é']);
    }),
    { seed: 10 },
  );
});
