import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexedText, tokens } from '../../../src/embedded-convex/search/tokens.ts';

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

test("SQLite's tokenizer finds in the indexed text exactly the terms of the text", () => {
  using database = new DatabaseSync(':memory:');
  database.exec(`
    CREATE VIRTUAL TABLE texts USING fts5 (terms, content = '', tokenize = 'ascii');
    CREATE VIRTUAL TABLE found USING fts5vocab (texts, instance);
  `);
  const insert = database.prepare('INSERT INTO texts (rowid, terms) VALUES (1, ?)');
  const terms = database.prepare('SELECT term FROM found ORDER BY offset');
  const termsOf = (text: string) => {
    database.exec('SAVEPOINT one');
    insert.run(text);
    const found = terms.all().map(({ term }) => term);
    database.exec('ROLLBACK TO one; RELEASE one');
    return found;
  };
  const long = 'b'.repeat(31);
  const ascii = ['a', 'B', '7', ' ', '_', '.', '\n', '\0', '\x7f', long];
  const others = ['\x80', 'é', 'É', 'Σ', 'İ', 'K', '½', '数', '…', '\u2028', '🙂', '𝒜', 'e\u0301'];
  const broken = ['\ud800', '\udc00', '\ufeff'];
  const unit = fc.oneof(...[ascii, others, broken].map((units) => fc.constantFrom(...units)));
  fc.assert(
    fc.property(fc.array(unit), (units) => {
      const text = units.join('');
      expect(termsOf(indexedText(text))).toEqual(tokens(text));
    }),
    { seed: 11, numRuns: 300 },
  );
});
