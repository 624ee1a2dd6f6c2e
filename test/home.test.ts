import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockHome, openHome, readToken, rotateToken } from '../src/home.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'oa-home-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('the first start makes a token that only its owner can read, and the next start finds it', () => {
  const first = openHome(home);
  expect(first.token).toMatch(/^[\w-]{43}$/);
  expect(statSync(join(home, 'bridge.json')).mode & 0o777).toBe(0o600);
  expect(openHome(home)).toEqual(first);
  expect(readToken(home)).toBe(first.token);
});

test('a token from the environment is used and never written down', () => {
  expect(openHome(home, 'from-the-environment').token).toBe('from-the-environment');
  expect(readFileSync(join(home, 'bridge.json'), 'utf8')).not.toContain('from-the-environment');
});

test('fields that another version wrote are kept', () => {
  writeFileSync(join(home, 'bridge.json'), '{"token":"0123456789abcdef","later":1}', {
    mode: 0o600,
  });
  openHome(home);
  expect(JSON.parse(readFileSync(join(home, 'bridge.json'), 'utf8'))).toMatchObject({ later: 1 });
});

test('a home or token that others can read is refused, with the command that repairs it', () => {
  openHome(home);
  chmodSync(join(home, 'bridge.json'), 0o644);
  expect(() => openHome(home)).toThrow(`chmod 600 ${join(home, 'bridge.json')}`);
  chmodSync(join(home, 'bridge.json'), 0o600);
  chmodSync(home, 0o755);
  expect(() => openHome(home)).toThrow(`chmod 700 ${home}`);
});

test('a home or token that is a symbolic link is refused: its target may be changed by others', () => {
  openHome(home);
  const link = `${home}-link`;
  symlinkSync(home, link);
  expect(() => openHome(link)).toThrow(`${link} is a symbolic link`);
  unlinkSync(link);
  renameSync(join(home, 'bridge.json'), join(home, 'elsewhere.json'));
  symlinkSync(join(home, 'elsewhere.json'), join(home, 'bridge.json'));
  expect(() => openHome(home)).toThrow(/bridge\.json is a symbolic link/);
});

test('a token is replaced in place, and all else in its file stays', () => {
  const before = openHome(home);
  const token = rotateToken(home);
  expect(token).not.toBe(before.token);
  expect(openHome(home)).toEqual({ ...before, token });
  expect(statSync(join(home, 'bridge.json')).mode & 0o777).toBe(0o600);
});

test('a damaged bridge.json is named, not replaced', () => {
  writeFileSync(join(home, 'bridge.json'), '{"token":', { mode: 0o600 });
  expect(() => openHome(home)).toThrow(/bridge\.json is not what the bridge wrote/);
  expect(readFileSync(join(home, 'bridge.json'), 'utf8')).toBe('{"token":');
});

test('one home has one daemon, and a killed daemon leaves no lock', async () => {
  const module = new URL('../src/home.ts', import.meta.url).href;
  const program = `
    const { lockHome } = await import(${JSON.stringify(module)});
    lockHome(process.argv[1]);
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const holder = execa(process.execPath, ['--input-type=module', '-e', program, home], {
    reject: false,
  });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  expect(() => lockHome(home)).toThrow(/Another oa-bridge already runs/);
  holder.kill('SIGKILL');
  await holder;
  lockHome(home).release();
});
