import { expect, test } from 'vitest';
import { headerProblems } from '../../scripts/docs-tables.ts';

test('the header of every machine has a line for each of its states, and for no other', () => {
  expect(headerProblems()).toEqual([]);
});
