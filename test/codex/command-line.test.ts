import { array, assert, constantFrom, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { commandText, splitWords } from '../../src/codex/command-line.ts';

test.each([
  [['/bin/bash', '-lc', 'echo hi'], 'echo hi'],
  [['zsh', '-c', 'ls'], 'ls'],
  [['pwsh.exe', '-NoProfile', '-Command', 'Get-Item'], 'Get-Item'],
  [['cmd.exe', '/c', 'dir'], 'dir'],
  [['git', 'commit', '-m', "it's done"], `git commit -m 'it'\\''s done'`],
  [['bash', 'script.sh'], 'bash script.sh'],
  [['bash', '-lc', 'echo $0', 'name'], "bash -lc 'echo $0' name"],
  [['echo', ''], "echo ''"],
])('%j reads as %j', (words, text) => {
  expect(commandText(words)).toBe(text);
});

test.each([
  [`/bin/bash -lc 'echo hello'`, ['/bin/bash', '-lc', 'echo hello']],
  [`bash -lc "echo 'a' \\"b\\" \\$c"`, ['bash', '-lc', `echo 'a' "b" $c`]],
  [`a'b'"c"\\ d`, ['abc d']],
  [`one  two\tthree`, ['one', 'two', 'three']],
  [`''`, ['']],
  ['', []],
  [`'open`, null],
])('%j splits into %j', (line, words) => {
  expect(splitWords(line)).toEqual(words);
});

test('words survive being quoted and split again', () => {
  const word = string({ unit: constantFrom('a', 'b', ' ', "'", '"', '\\', '$', '\n') });
  assert(
    property(array(word, { minLength: 1 }), (words) => {
      const line = commandText(['env', ...words]);
      expect(splitWords(line)).toEqual(['env', ...words]);
    }),
    { seed: 1, numRuns: 500 },
  );
});
