import { expect, test } from 'vitest';
import { titleOf } from '../../src/codex/title.ts';

test.each([
  ['Fix the login', 'Fix the login'],
  ['  Fix\n\tthe   login\u2028now ', 'Fix the login now'],
  ['', undefined],
  [' \n\u0000 ', undefined],
  [
    'Refactor the parser so that it reads every generation of session files at once',
    'Refactor the parser so that it reads every generation of…',
  ],
  ['x'.repeat(80), `${'x'.repeat(59)}…`],
  [
    '# Context from my IDE setup:\n\n## Open tabs:\n- a.ts\n\n## My request for Codex:\nRename it',
    'Rename it',
  ],
  ['<image name=[Image #1] path="/a.png"></image>What is this?', 'What is this?'],
  ['Sum up\n\n<stdin>\nlots\nof text\n</stdin>', 'Sum up'],
  ['<stdin>only this</stdin>', '<stdin>only this</stdin>'],
])('%j is titled %j', (prompt, title) => {
  expect(titleOf(prompt)).toBe(title);
});

test('a title is one line of at most 60 characters and never ends inside of a character', () => {
  for (const prompt of ['👩‍👩‍👧‍👦'.repeat(20), 'é'.repeat(100), `${'a'.repeat(58)}😀😀😀`]) {
    const title = titleOf(prompt) ?? '';
    expect(title.length).toBeLessThanOrEqual(60);
    expect(title.isWellFormed()).toBe(true);
    expect(title).toMatch(/…$/);
  }
});
