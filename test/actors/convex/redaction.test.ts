import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Redaction } from '../../../src/actors/convex/redaction.ts';
import type { WriteJob } from '../../../src/machines/protocol.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const key = `ghp_${'a1B2'.repeat(9)}`;
const shown = '[redacted: github-token]';

function redactionOffIn(...directories: string[]) {
  return new Redaction({ enabled: true, offIn: () => directories, own: () => [] });
}

test('a thread without a known directory is redacted', () => {
  expect(redactionOffIn('/srv').text(key)).toBe(shown);
});

test.each([
  ['/srv/open', key],
  ['/srv/open/below/it', key],
  ['/srv/open/../open', key],
  ['/srv/opened', shown],
  ['/srv', shown],
  ['/srv/open/../closed', shown],
])('turned off in /srv/open, a text of %s is %.22s', (directory, text) => {
  expect(redactionOffIn('/srv/open').text(key, directory)).toBe(text);
});

test('a directory is known by its other name too', () => {
  using folder = temporaryFolder();
  const real = join(folder.path, 'real');
  mkdirSync(real);
  symlinkSync(real, join(folder.path, 'link'));
  expect(redactionOffIn(join(folder.path, 'link')).text(key, real)).toBe(key);
});

test('what a file tells before it names its directory is redacted, the rest of the batch is not', () => {
  const item = (n: number) => ({ key: `${n}`, kind: 'message' as const, text: key, ts: n });
  const job: WriteJob = {
    id: 'j',
    origin: 'file',
    priority: 'live',
    thread: { source: 'external', cwd: '/srv/open' },
    items: [item(1), item(2)],
    withoutDirectory: 1,
    bytes: 0,
  };
  const { items } = redactionOffIn('/srv/open').job(job, job.thread.cwd);
  expect(items.map(({ text }) => text)).toEqual([shown, key]);
});

test('turned off as a whole, nothing is redacted', () => {
  const off = new Redaction({ enabled: false, offIn: () => [], own: () => [] });
  expect(off.text(key)).toBe(key);
});

test('a secret of the bridge that is made later is known from then on', () => {
  const value = 'embedded|0123456789abcdef';
  let made = false;
  const redaction = new Redaction({
    enabled: true,
    offIn: () => [],
    own: () => [made ? { kind: 'convex-admin-key', value } : null],
  });
  expect(redaction.text(value)).toBe(value);
  made = true;
  expect(redaction.text(value)).toBe('[redacted: convex-admin-key]');
});
