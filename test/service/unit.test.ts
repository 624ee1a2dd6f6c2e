import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { launchdPlist, systemdUnit } from '../../src/service/unit.ts';
import { openUrl } from '../support/browser.ts';
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

test('launchd gets a property list that a parser of XML reads as it was meant', async () => {
  await using browser = await openUrl('about:blank');
  const command = ['/bin/node', '/a & b/<cli>.js', 'start'];
  const environment = { PATH: '/usr/bin', OPENAGENTS_HOME: `/home/"x" 'y' ]]> &amp; ü` };
  const plist = launchdPlist('dev.example', { command, environment });
  const read = await browser.page.evaluate(`(${READ_PLIST})(${JSON.stringify(plist)})`);
  expect(read).toEqual({
    Label: 'dev.example',
    ProgramArguments: command,
    EnvironmentVariables: environment,
    RunAtLoad: true,
    KeepAlive: { SuccessfulExit: false },
    ExitTimeOut: 15,
    Umask: 0o077,
  });
});

/** In a browser, which is strict about XML. */
const READ_PLIST = `(text) => {
  const { documentElement: plist } = new DOMParser().parseFromString(text, 'application/xml');
  if (plist.nodeName !== 'plist') throw new Error(plist.textContent);
  const valueOf = (node) => {
    const children = [...node.children];
    switch (node.nodeName) {
      case 'dict':
        return Object.fromEntries(
          children.flatMap((key, n) => (n % 2 === 0 ? [[key.textContent, valueOf(children[n + 1])]] : [])),
        );
      case 'array': return children.map(valueOf);
      case 'string': return node.textContent;
      case 'integer': return Number(node.textContent);
      case 'true': return true;
      case 'false': return false;
      default: throw new Error(node.nodeName);
    }
  };
  return valueOf(plist.children[0]);
}`;
