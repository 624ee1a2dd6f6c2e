import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PromptKeep } from '../../../src/actors/convex/prompt-keep.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let file: string;
let now = 0;
const open = () => new PromptKeep(file, () => now);
const row = (runId: string, threadDocId = 'thread', text = 'use [x]') => ({
  runId,
  threadDocId,
  text,
});

beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder.path, 'prompts.json');
  now = 0;
});
afterEach(() => folder[Symbol.dispose]());

test('a run gets the prompt as it was typed, before and after Convex has answered', () => {
  const keep = open();
  const isOf = keep.keep('thread', 'use [x]', 'use it');
  expect(keep.typed(row('run'))).toBe('use it');
  isOf('run');
  expect(keep.typed(row('run'))).toBe('use it');
  expect(keep.typed(row('another'))).toBe('use [x]');
});

test('also in another life, from a file that others cannot read', () => {
  open().keep('thread', 'use [x]', 'use it')('run');
  expect(open().typed(row('run'))).toBe('use it');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('two prompts that look alike when redacted stay apart', () => {
  const keep = open();
  keep.keep('thread', 'use [x]', 'use one')('first');
  keep.keep('thread', 'use [x]', 'use two')('second');
  expect(['first', 'second'].map((id) => keep.typed(row(id)))).toEqual(['use one', 'use two']);
});

test('the prompt of another thread is not taken', () => {
  const keep = open();
  keep.keep('thread', 'use [x]', 'use it');
  expect(keep.typed(row('run', 'elsewhere'))).toBe('use [x]');
});

test('when its run is over it is forgotten, and the file is gone with the last', () => {
  const keep = open();
  keep.keep('thread', 'use [x]', 'use it')('run');
  keep.retain([]);
  expect(keep.typed(row('run'))).toBe('use it');
  now = 2 * 3_600_000;
  keep.retain([row('run')]);
  expect(keep.typed(row('run'))).toBe('use it');
  keep.retain([]);
  expect(keep.typed(row('run'))).toBe('use [x]');
  expect(existsSync(file)).toBe(false);
});

test('a damaged file holds nothing', () => {
  writeFileSync(file, '{"half');
  expect(open().typed(row('run'))).toBe('use [x]');
});
