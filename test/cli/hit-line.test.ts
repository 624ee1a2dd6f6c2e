import { expect, test } from 'vitest';
import { hitIn } from '../../src/cli/hit-line.ts';

test('the line with the words is shown, and words side by side are one hit', () => {
  const text = 'first line\n  the parser fails here, always\nparser';
  expect(hitIn(text, 'parser fails')).toEqual({
    before: 'the ',
    hit: 'parser fails',
    after: ' here, always',
  });
});

test('the last word may be half typed, and case does not matter', () => {
  expect(hitIn('Reading PARSER tests', 'parser tes')).toMatchObject({ hit: 'PARSER tes' });
  expect(hitIn('call wait_agent now', 'ag')).toMatchObject({ before: 'call wait_', hit: 'ag' });
  expect(hitIn('Reading PARSER tests', 'arser')).toMatchObject({ hit: '' });
});

test('a long line is cut on both sides of the hit', () => {
  const { before, hit, after } = hitIn(`${'a '.repeat(200)}needle${' b'.repeat(200)}`, 'needle');
  expect(hit).toBe('needle');
  expect([before.length, after.length]).toEqual([61, 61]);
  expect(before.startsWith('…') && after.endsWith('…')).toBe(true);
});

test('what a terminal would obey is not printed', () => {
  const { before, hit, after } = hitIn('\u001B[2Jclear \u202Eneedle\u0007 end', 'needle');
  expect(before + hit + after).toBe(' [2Jclear  needle  end');
});

test('words without a letter, or that stand nowhere, show the beginning', () => {
  expect(hitIn('some text', '...')).toEqual({ before: '', hit: '', after: 'some text' });
  expect(hitIn('some text\nmore', 'absent')).toEqual({ before: '', hit: '', after: 'some text' });
});
