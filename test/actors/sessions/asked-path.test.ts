import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkAskedPath } from '../../../src/actors/sessions/asked-path.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let place: string;
beforeEach(() => {
  folder = temporaryFolder();
  // The folder for temporary files may itself be reached by a link, as on macOS.
  place = realpathSync(folder.path);
});
afterEach(() => folder[Symbol.dispose]());

const NAME = 'rollout-2026-01-02T03-04-05-a.jsonl';

test('a place that links lead to has one name, that of the watcher where it watches', () => {
  const real = join(place, 'disk', 'sessions');
  mkdirSync(join(real, '2026'), { recursive: true });
  mkdirSync(join(place, 'codex'));
  const root = join(place, 'codex', 'sessions');
  symlinkSync(real, root);
  symlinkSync(join(place, 'disk'), join(place, 'shortcut'));
  expect(checkAskedPath(root, root)).toBe(root);
  expect(checkAskedPath(real, root)).toBe(root);
  expect(checkAskedPath(join(real, '2026'), root)).toBe(join(root, '2026'));
  expect(checkAskedPath(join(place, 'shortcut', 'sessions', '2026'), root)).toBe(
    join(root, '2026'),
  );
  expect(checkAskedPath(`${place}/disk/../disk/`, root)).toBe(join(place, 'disk'));
  // Not there yet, like the root itself: nothing is wrong with asking.
  const archive = join(place, 'codex', 'archived_sessions');
  expect(checkAskedPath(archive, root)).toBe(archive);
});

test('only directories and regular session files may be asked for', () => {
  writeFileSync(join(place, NAME), '');
  writeFileSync(join(place, 'bridge.json'), '');
  symlinkSync(join(place, 'bridge.json'), join(place, `rollout-${NAME}`));
  const root = join(place, 'codex', 'sessions');
  const codeOf = (path: string) => {
    try {
      return checkAskedPath(path, root);
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    }
  };
  expect(codeOf(join(place, NAME))).toBe(join(place, NAME));
  expect(codeOf(join(place, 'bridge.json'))).toBe('path_refused');
  expect(codeOf(join(place, `rollout-${NAME}`))).toBe('path_refused');
  expect(codeOf('codex/sessions')).toBe('path_refused');
  expect(codeOf('/dev/null')).toBe('path_refused');
  expect(codeOf(join(place, 'missing'))).toBe('path_missing');
  expect(codeOf(join(place, NAME, 'below'))).toBe('path_missing');
});
