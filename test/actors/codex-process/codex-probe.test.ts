import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { codexProbe } from '../../../src/actors/codex-process/codex-probe.ts';
import { codexVersion } from '../../../src/actors/codex-process/codex-version.ts';
import { shellProgram } from '../../support/codex-process.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

test('a Codex that is installed, replaced or removed while the bridge runs is seen as it is', async () => {
  using folder = temporaryFolder();
  const said: string[] = [];
  const note = (_: unknown, message?: string) => void said.push(String(message));
  const codexBin = join(folder.path, 'codex');
  const install = (version: string) =>
    renameSync(shellProgram(folder.path, `echo codex-cli ${version}`), codexBin);
  const probe = codexProbe({ codexBin, codexHome: folder.path }, { info: note, warn: note });
  const sees = (version: string | null) =>
    until(`it is ${version}`, () => probe.version() === version);

  await until('it is missed', () => said.length === 1);
  install('1.2.3');
  await sees('1.2.3');
  install('1.2.4');
  await sees('1.2.4');
  rmSync(codexBin);
  await sees(null);
  expect(said).toEqual([
    'codex cannot be run',
    'codex is there',
    'codex is there',
    'codex cannot be run',
  ]);
});

test('a program that prints without end in place of its version is given up', async () => {
  using folder = temporaryFolder();
  const chatty = shellProgram(folder.path, `yes 1.2.3`);
  const env = { PATH: process.env['PATH'] ?? '' };
  await expect(codexVersion(chatty, env)).rejects.toMatchObject({ code: 'codex_missing' });
  const late = shellProgram(folder.path, 'echo 1.2.3', `head -c 1000000 /dev/zero | tr '\\0' x`);
  await expect(codexVersion(late, env)).rejects.toMatchObject({ code: 'codex_missing' });
});
