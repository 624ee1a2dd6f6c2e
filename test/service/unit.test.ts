import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { launchdPlist, systemdUnit } from '../../src/service/unit.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const awkward = {
  command: [process.execPath, '/opt/oa "bridge"/100%/$HOME\\cli.js', 'start'],
  environment: { PATH: '/usr/bin:/bin', OPENAGENTS_HOME: '/home/a b/"x" 5%' },
};

test('systemd gets a unit that is restarted, watched, and ended with all its children', () => {
  const unit = systemdUnit(awkward);
  for (const line of [
    'Restart=on-failure',
    'WatchdogSec=30',
    'KillMode=control-group',
    'Type=notify',
    'Environment="OPENAGENTS_HOME=/home/a b/\\"x\\" 5%%"',
    `ExecStart="${process.execPath}" "/opt/oa \\"bridge\\"/100%%/$$HOME\\\\cli.js" "start"`,
  ]) {
    expect(unit.split('\n')).toContain(line);
  }
});

test.runIf(spawnSync('systemd-analyze', ['--version']).status === 0)(
  'systemd finds nothing wrong with the unit',
  () => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'oa-bridge.service');
    writeFileSync(file, systemdUnit(awkward));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  },
);

test('launchd gets a property list in which nothing is taken for markup', () => {
  const plist = launchdPlist('dev.example', {
    command: ['/bin/node', '/a & b/<cli>.js', 'start'],
    environment: { PATH: '/usr/bin' },
  });
  expect(plist).toContain('<string>/a &amp; b/&lt;cli&gt;.js</string>');
  expect(plist).toContain('<key>PATH</key><string>/usr/bin</string>');
  expect(plist).toMatch(/<key>KeepAlive<\/key>\s*<dict><key>SuccessfulExit<\/key><false\/>/);
});
