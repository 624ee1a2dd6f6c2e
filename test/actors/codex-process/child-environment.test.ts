import { expect, test } from 'vitest';
import { childEnvironment } from '../../../src/actors/codex-process/child-environment.ts';

test('Codex gets what its user has, and its home', () => {
  const user = { PATH: '/bin', HOME: '/u', LANG: 'C', MY_PROVIDER_KEY: 'k', HTTPS_PROXY: 'p' };
  expect(childEnvironment(user, '/c')).toEqual({ ...user, CODEX_HOME: '/c' });
});

test('Codex gets nothing that is the daemon’s', () => {
  const ours = {
    OPENAGENTS_BRIDGE_TOKEN: 'secret',
    OPENAGENTS_ANYTHING_NEW: 'secret',
    CODEX_BIN: 'codex',
    CODEX_ARGS: '-m x',
    CODEX_HOME: '/other',
    NOTIFY_SOCKET: '/run/notify',
    npm_config_registry: 'r',
    UNSET: undefined,
  };
  expect(childEnvironment(ours, '/c')).toEqual({ CODEX_HOME: '/c' });
});
