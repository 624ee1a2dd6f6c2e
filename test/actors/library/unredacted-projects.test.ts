import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UnredactedProjects } from '../../../src/actors/library/unredacted-projects.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('the directories of projects that say "redact: false", looked at again after a second', () => {
  using folder = temporaryFolder();
  let now = 0;
  const unredacted = new UnredactedProjects(folder.path, () => now);
  expect(unredacted.directories()).toEqual([]);
  const save = (id: string, more: string) => {
    mkdirSync(join(folder.path, id));
    writeFileSync(
      join(folder.path, id, 'PROJECT.md'),
      `---\nname: N\nworkingDir: /w/${id}\n${more}\n---\n`,
    );
  };
  save('open', 'redact: false');
  save('usual', 'redact: true');
  save('silent', '');
  save('broken', 'redact: [false');
  writeFileSync(
    join(folder.path, 'old.project.md'),
    '---\nname: N\nworkingDir: /w/old\nredact: false\n---\n',
  );
  now = 999;
  expect(unredacted.directories()).toEqual([]);
  now = 1_000;
  expect(unredacted.directories().toSorted()).toEqual(['/w/old', '/w/open']);
});

test('a folder that is not there names none', () => {
  expect(new UnredactedProjects('/nowhere/at/all').directories()).toEqual([]);
});
