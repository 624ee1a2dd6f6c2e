import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { generate } from '../scripts/codegen.ts';

const project = path.resolve(import.meta.dirname, '..');
const copy = mkdtempSync(path.join(tmpdir(), 'oa-codegen-'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

it('the committed convex/_generated is what the Convex CLI generates', { timeout: 20_000 }, () => {
  for (const part of ['convex', 'package.json', 'tsconfig.json']) {
    cpSync(path.join(project, part), path.join(copy, part), { recursive: true });
  }
  symlinkSync(path.join(project, 'node_modules'), path.join(copy, 'node_modules'), 'junction');
  rmSync(path.join(copy, 'convex/_generated'), { recursive: true });
  generate(copy);
  expect(generated(copy)).toEqual(generated(project));
});

function generated(folder: string): Record<string, string> {
  const files = path.join(folder, 'convex/_generated');
  return Object.fromEntries(
    readdirSync(files).map((name) => [name, readFileSync(path.join(files, name), 'utf8')]),
  );
}
