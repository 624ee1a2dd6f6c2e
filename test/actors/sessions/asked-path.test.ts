import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkAskedPath, findAskedFiles } from '../../../src/actors/sessions/asked-path.ts';
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
  const checkedPath = (path: string) => checkAskedPath(path, { root, allowed: [] });
  expect(checkedPath(root)).toBe(root);
  expect(checkedPath(real)).toBe(root);
  expect(checkedPath(join(real, '2026'))).toBe(join(root, '2026'));
  expect(checkedPath(join(place, 'shortcut', 'sessions', '2026'))).toBe(join(root, '2026'));
  expect(checkedPath(`${place}/disk/../disk/`)).toBe(join(place, 'disk'));
  // Not there yet, like the root itself: nothing is wrong with asking.
  const archive = join(place, 'codex', 'archived_sessions');
  expect(checkedPath(archive)).toBe(archive);
});

test('only directories and regular session files may be asked for', () => {
  writeFileSync(join(place, NAME), '');
  writeFileSync(join(place, 'bridge.json'), '');
  symlinkSync(join(place, 'bridge.json'), join(place, `rollout-${NAME}`));
  expect(codeOf(join(place, NAME))).toBe(join(place, NAME));
  expect(codeOf(join(place, 'bridge.json'))).toBe('path_refused');
  expect(codeOf(join(place, `rollout-${NAME}`))).toBe('path_refused');
  expect(codeOf('codex/sessions')).toBe('path_refused');
  expect(codeOf('/dev/null')).toBe('path_refused');
  expect(codeOf(join(place, 'missing'))).toBe('path_missing');
  expect(codeOf(join(place, NAME, 'below'))).toBe('path_missing');
});

test('with roots set, only what truly lies below them, and what is watched, may be asked for', async () => {
  const root = join(place, 'codex', 'sessions');
  for (const name of ['backups/old', 'elsewhere'])
    mkdirSync(join(place, name), { recursive: true });
  mkdirSync(root, { recursive: true });
  symlinkSync(join(place, 'elsewhere'), join(place, 'backups', 'link'));
  symlinkSync(join(place, 'backups'), join(place, 'shortcut'));
  mkdirSync(join(place, 'elsewhere', 'below'));
  // Named by a link: it is where it leads to that counts.
  const allowed = [join(place, 'shortcut'), join(place, 'not there yet')];
  expect(codeOf(join(place, 'backups'), allowed)).toBe(join(place, 'backups'));
  expect(codeOf(join(place, 'backups', 'old'), allowed)).toBe(join(place, 'backups', 'old'));
  expect(codeOf(root, allowed)).toBe(root);
  expect(codeOf(join(place, 'codex', 'archived_sessions'), allowed)).toContain('archived_sessions');
  expect(codeOf(place, allowed)).toBe('path_refused');
  expect(codeOf(join(place, 'elsewhere'), allowed)).toBe('path_refused');
  expect(codeOf(join(place, 'backups', 'link', 'below'), allowed)).toBe('path_refused');
  expect(codeOf(`${place}/backups/../elsewhere`, allowed)).toBe('path_refused');
  // A job of an earlier life, with other settings.
  const places = { root, allowed };
  await expect(findAskedFiles(join(place, 'elsewhere'), places)).rejects.toMatchObject({
    code: 'path_refused',
    message: expect.stringContaining('OPENAGENTS_BACKFILL_ROOTS'),
  });
});

/** The name under which it may be read, or why not. */
function codeOf(path: string, allowed: readonly string[] = []): unknown {
  try {
    return checkAskedPath(path, { root: join(place, 'codex', 'sessions'), allowed });
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}
