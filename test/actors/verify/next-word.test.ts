/** The words for a rule of the data model must mean what the code behind `messages:ingest` does. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextWord } from '../../../src/actors/verify/next-word.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { RowStore } from '../../support/row-store.ts';

const words = fc.array(
  fc.record(
    {
      key: fc.constant('k'),
      kind: fc.constant<ThreadItem['kind']>('cmd'),
      ts: fc.integer({ min: 0, max: 9 }),
      text: fc.constantFrom('', 'a', 'ab', 'b', 'abc'),
      partial: fc.constant(true),
      turnId: fc.constantFrom('t', 'u'),
      itemId: fc.constantFrom('i', 'j'),
      ordinal: fc.integer({ min: 0, max: 3 }),
      line: fc.integer({ min: 0, max: 3 }),
      revision: fc.integer({ min: 1, max: 3 }),
      redactions: fc.integer({ min: 1, max: 3 }),
      data: fc.record(
        {
          status: fc.constantFrom('in_progress', 'completed', 'failed'),
          output: fc.constantFrom('', 'x', 'xy'),
          exitCode: fc.integer({ min: 0, max: 1 }),
        },
        { requiredKeys: ['status'] },
      ),
    },
    { requiredKeys: ['key', 'kind', 'ts'] },
  ),
  { minLength: 1, maxLength: 6 },
);

test('whatever a file says of an item, word after word, the row says the same', () => {
  fc.assert(
    fc.property(words, (said) => {
      const store = new RowStore();
      store.ingest(said);
      const [first, ...others] = said;
      if (first === undefined) return;
      let known: ThreadItem = first;
      for (const word of others) known = nextWord(known, word) ?? known;
      const { threadId: _t, createdAt: _c, updatedAt: _u, ...row } = store.row('k')?.fields ?? {};
      expect(row).toEqual(known);
    }),
    { seed: 20_261_126, numRuns: 500 },
  );
});
