import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JobFile } from '../../../src/actors/backfill/job-file.ts';
import type { Job } from '../../../src/machines/backfill-status.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const JOB: Job = {
  id: 'j1',
  kind: 'request',
  selection: { limit: 3, since: 5, path: '/backup' },
  startedAt: 7,
};
const silent = (message: string) => {
  throw new Error(message);
};

test('a job is what it was when it is read back, until it is forgotten', async () => {
  using folder = temporaryFolder();
  const home = join(folder.path, 'not', 'there', 'yet');
  expect(new JobFile(home).read(silent)).toBeNull();
  await new JobFile(home).save(JOB);
  expect(new JobFile(home).read(silent)).toEqual(JOB);
  await new JobFile(home).forget();
  await new JobFile(home).forget();
  expect(new JobFile(home).read(silent)).toBeNull();
});

test('what is asked for last counts, however the writing goes', async () => {
  using folder = temporaryFolder();
  const file = new JobFile(folder.path);
  const saved = file.save(JOB);
  const forgotten = file.forget();
  await Promise.all([saved, forgotten]);
  expect(existsSync(join(folder.path, 'backfill.json'))).toBe(false);
});

test.each(['', '{"id":"j1"', '{"id":"j1","selection":{"limit":-1},"startedAt":0}', '[]'])(
  'a file that says %j is told of, and forgotten',
  (text) => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'backfill.json'), text);
    const complaints: string[] = [];
    expect(new JobFile(folder.path).read((message) => complaints.push(message))).toBeNull();
    expect(complaints).toEqual([expect.stringContaining('is not what the bridge wrote')]);
  },
);
