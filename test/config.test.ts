import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig, settings } from '../src/config.ts';

test('with nothing set, every default is as documented', () => {
  const config = loadConfig({}, {});
  expect(config).toMatchObject({
    home: join(homedir(), '.openagents'),
    bind: { host: '0.0.0.0', port: 8787 },
    convexMode: 'embedded',
    convexPort: 7788,
    convexInterface: '0.0.0.0',
    convexDb: join(homedir(), '.openagents', 'convex', 'embedded.sqlite3'),
    convexSync: true,
    maxRuns: 4,
    redact: true,
    redactOffIn: [],
    runRoots: [],
    backfillRoots: [],
    logLevel: 'info',
    codexHome: join(homedir(), '.codex'),
    sessionsRoot: join(homedir(), '.codex', 'sessions'),
    codexBin: 'codex',
    codexArgs: [],
    allowedOrigins: [],
  });
  expect(config.token).toBeUndefined();
});

test('a flag beats the environment, which beats the default; an empty variable is not set', () => {
  const env = { OPENAGENTS_MAX_RUNS: '7', OPENAGENTS_BIND: '' };
  expect(loadConfig({}, env).maxRuns).toBe(7);
  expect(loadConfig({ maxRuns: '9' }, env).maxRuns).toBe(9);
  expect(loadConfig({}, env).bind.port).toBe(8787);
});

test.each([
  ['OPENAGENTS_BIND', 'eight', /host:port/],
  ['OPENAGENTS_BIND', '127.0.0.1:99999', /host:port/],
  ['OPENAGENTS_CONVEX_PORT', '-1', /port number from 0 to 65535/],
  ['OPENAGENTS_CONVEX_PORT', '70000', /port number from 0 to 65535/],
  ['OPENAGENTS_CONVEX_INTERFACE', 'eth0', /must be an IP address/],
  ['OPENAGENTS_CONVEX_MODE', 'magic', /"embedded" or "remote"/],
  ['OPENAGENTS_CONVEX_SYNC', 'yes', /must be 0 or 1/],
  ['OPENAGENTS_MAX_RUNS', '0', /from 1 to 64/],
  ['OPENAGENTS_LOG_LEVEL', 'loud', /trace, debug/],
  ['OPENAGENTS_CONVEX_URL', 'ftp://x', /http\(s\) URL/],
])('%s=%s is refused by name, with what is allowed', (name, value, allowed) => {
  expect(() => loadConfig({}, { [name]: value })).toThrow(name);
  expect(() => loadConfig({}, { [name]: value })).toThrow(allowed);
});

test('a bad token is named but never repeated', () => {
  const load = () => loadConfig({}, { OPENAGENTS_BRIDGE_TOKEN: 'my secret' });
  expect(load).toThrow(/OPENAGENTS_BRIDGE_TOKEN/);
  expect(load).not.toThrow(/my secret/);
});

test('mode remote demands its URL', () => {
  expect(() => loadConfig({ convexMode: 'remote' }, {})).toThrow(
    /OPENAGENTS_CONVEX_URL is required/,
  );
});

test('an IPv6 address is bound in brackets, and Codex arguments are split like a shell does', () => {
  expect(loadConfig({ bind: '[::1]:0' }, {}).bind).toEqual({ host: '::1', port: 0 });
  expect(loadConfig({ codexArgs: '-c model_provider=x --oss' }, {}).codexArgs).toEqual([
    '-c',
    'model_provider=x',
    '--oss',
  ]);
});

test('every setting has its own variable', () => {
  const names = Object.values(settings).map((setting) => setting.env);
  expect(new Set(names).size).toBe(names.length);
});

test('directories without redaction are a list as in PATH', () => {
  const { redactOffIn } = loadConfig(
    {},
    { OPENAGENTS_REDACT_OFF_IN: ['/srv/one', '', '~/two'].join(delimiter) },
  );
  expect(redactOffIn).toEqual(['/srv/one', join(homedir(), 'two')]);
  expect(() => loadConfig({ redact: 'maybe' }, {})).toThrow(/must be on or off/);
});
