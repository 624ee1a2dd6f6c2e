import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { checkSessions } from '../../src/doctor/folders.ts';
import { asNobody } from '../support/as-nobody.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test.skipIf(process.platform === 'win32')(
  'a home of Codex, or sessions, that may not be read are told apart from what is not there yet',
  () => {
    using folder = temporaryFolder();
    const codexHome = join(folder.path, 'codex');
    const sessions = join(codexHome, 'sessions');
    const config = loadConfig({ codexHome }, {});
    expect(checkSessions(config)).toMatchObject({ verdict: 'warning' });
    mkdirSync(sessions, { recursive: true });
    chmodSync(folder.path, 0o755);
    for (const closed of [codexHome, sessions]) {
      chmodSync(closed, 0o000);
      const isRoot = process.getuid?.() === 0;
      const finding = seenBy(isRoot, () => checkSessions(config));
      expect(finding).toMatchObject({
        verdict: 'failed',
        found: `${closed} cannot be read`,
        advice: `run: chmod u+rx ${closed}`,
      });
      chmodSync(closed, 0o755);
    }
    expect(checkSessions(config)).toMatchObject({ verdict: 'ok', found: sessions });
  },
);

/** Root may read anything. */
function seenBy<Result>(isRoot: boolean, look: () => Result): Result {
  using _ = asNobody(isRoot);
  return look();
}
