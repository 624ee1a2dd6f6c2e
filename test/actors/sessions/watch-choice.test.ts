import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { saveChoice, WatchChoice } from '../../../src/actors/sessions/watch-choice.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('the choice survives a restart, and is for the owner alone', async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, 'home');
  expect(new WatchChoice(home).read()).toBeNull();
  const saving = createActor(saveChoice(new WatchChoice(home)), { input: { enabled: false } });
  await toPromise(saving.start());
  expect(new WatchChoice(home).read()).toBe(false);
  await new WatchChoice(home).save(true);
  expect(new WatchChoice(home).read()).toBe(true);
  const [file = '', ...others] = readdirSync(home);
  expect(others).toEqual([]);
  const othersMay = statSync(join(home, file)).mode & 0o077;
  expect(process.platform === 'win32' ? 0 : othersMay).toBe(0);
});

test('a file that does not tell counts as no choice', () => {
  using folder = temporaryFolder();
  for (const content of ['', '{', '{"enabled":"yes"}', '[]']) {
    writeFileSync(join(folder.path, 'sessions-watch.json'), content);
    expect(new WatchChoice(folder.path).read()).toBeNull();
  }
});
