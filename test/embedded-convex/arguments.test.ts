import { describe, expect, test } from 'vitest';
import { parseArguments, usage } from '../../src/embedded-convex/arguments.ts';

test('little is needed, the rest has defaults that are safe', () => {
  expect(parseArguments(['--db', 'data/db.sqlite', '--functions', 'convex'])).toEqual({
    databasePath: 'data/db.sqlite',
    functions: { folder: 'convex' },
    port: 0,
    interface: '127.0.0.1',
    adminKeyFile: 'data/admin-key',
    hostNames: [],
    allowedOrigins: [],
    watchStdin: false,
    watch: false,
    env: {},
  });
});

test('everything can be chosen', () => {
  const argv = ['--db=d', '--bundle=b', '--port=7788', '--interface=0.0.0.0', '--watch-stdin'];
  argv.push('--env=A=1', '--env', 'B=x=y', '--env=C=');
  argv.push('--admin-key-file=k', '--allow-host=a', '--allow-host=b', '--allow-origin=c');
  expect(parseArguments(argv)).toEqual({
    databasePath: 'd',
    functions: { bundleFile: 'b' },
    port: 7788,
    interface: '0.0.0.0',
    adminKeyFile: 'k',
    hostNames: ['a', 'b'],
    allowedOrigins: ['c'],
    watchStdin: true,
    watch: false,
    env: { A: '1', B: 'x=y', C: '' },
  });
});

test('--help comes before all that might be wrong, and names every option', () => {
  expect(parseArguments(['--help'])).toBeNull();
  for (const option of ['db', 'functions', 'bundle', 'port', 'interface', 'watch-stdin']) {
    expect(usage).toContain(`--${option}`);
  }
});

describe('what is wrong is named', () => {
  const cases: Array<[string, string[], RegExp]> = [
    ['no functions', ['--db', 'x'], /either --functions <folder> or --bundle/],
    ['both kinds', ['--db', 'x', '--functions', 'a', '--bundle', 'b'], /either --functions/],
    ['a port out of range', ['--db', 'x', '--functions', 'a', '--port', '65536'], /not "65536"/],
    ['a port that is none', ['--db', 'x', '--functions', 'a', '--port', '1e3'], /not "1e3"/],
    ['a name to listen on', ['--db', 'x', '--functions', 'a', '--interface', 'desk'], /not "desk"/],
    ['an unknown option', ['--database', 'x'], /--database/],
    ['a stray word', ['--db', 'x', 'convex'], /'convex'/],
  ];
  test.each(cases)('%s', (_, argv, message) => {
    expect(() => parseArguments(argv)).toThrow(message);
  });
});
