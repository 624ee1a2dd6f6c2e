import { describe, expect, expectTypeOf, test } from 'vitest';
import type { ProjectItem, SkillItem } from '../../src/control/library.ts';
import { isLibraryId } from '../../src/library/library-id.ts';
import { parseProject, type Project } from '../../src/library/project.ts';
import { projectText } from '../../src/library/project-text.ts';
import { parseSkill } from '../../src/library/skill.ts';
import { visibleSkills, type ScopedSkill } from '../../src/library/skill-scopes.ts';

const file = (yaml: string, body = '') => `---\n${yaml}\n---\n${body}`;

describe('PROJECT.md', () => {
  test('gives its fields, and ignores keys that are none', () => {
    const text = file('name: A\nworkingDir: ~/a\ncolour: red\nrepo: {url: u}\nsandbox: read-only');
    expect(parseProject('a', text)).toEqual({
      ok: true,
      value: { id: 'a', name: 'A', workingDir: '~/a', repo: { url: 'u' }, sandbox: 'read-only' },
    });
  });

  test.each([
    ['no block', 'hello', 1, 1, 'does not begin with a block'],
    ['an empty block', '---\n---\n', 2, 1, 'must hold "key: value" lines'],
    ['a list', file('- a'), 2, 1, 'must hold "key: value" lines'],
    ['a missing key', file('name: A'), 2, 1, 'workingDir: is required'],
    ['a relative directory', file('name: A\nworkingDir: a/b'), 3, 13, 'must be an absolute path'],
    [
      'a wrong value',
      file('name: A\nworkingDir: /a\n\nsandbox: all'),
      5,
      10,
      'sandbox: must be read-only, workspace-write or danger-full-access',
    ],
    ['a wrong value inside', file('name: A\nworkingDir: /a\nrepo:\n  url: 3'), 5, 8, 'repo.url:'],
    ['broken YAML', file('name: [A\nworkingDir: /a'), 3, 1, 'Flow sequence'],
    ['a key twice', file('name: A\nname: B\nworkingDir: /a'), 3, 1, 'Map keys must be unique'],
    [
      'a model that reads as a flag',
      file('name: A\nworkingDir: /a\nmodel: -x'),
      4,
      8,
      'model: must',
    ],
  ])('with %s is refused with line, column and reason', (_, text, line, column, reason) => {
    const parsed = parseProject('a', text);
    expect(parsed.ok ? [] : parsed.problems).toEqual([
      { line, column, message: expect.stringContaining(reason) },
    ]);
  });

  test('aliases that would unfold for ever are refused', () => {
    const bomb = [
      'a: &a [x, x]',
      ...'bcdefghij'.split('').map((c, n) => `${c}: &${c} [${`*${'abcdefghi'[n]},`.repeat(9)}]`),
    ];
    const parsed = parseProject('a', file(bomb.join('\n')));
    expect(parsed).toMatchObject({
      ok: false,
      problems: [{ message: expect.stringMatching(/alias/i) }],
    });
  });
});

describe('SKILL.md', () => {
  test.each([
    ['Read, Bash(git add:*), Grep', ['Read', 'Bash(git add:*)', 'Grep']],
    ['Read Grep', ['Read', 'Grep']],
    ['[Read, Bash]', ['Read', 'Bash']],
  ])('takes allowed-tools as %s', (tools, allowedTools) => {
    const text = file(`name: a-b\ndescription: d\nallowed-tools: ${tools}\nmetadata: {v: 1}`);
    expect(parseSkill('a-b', text)).toEqual({
      ok: true,
      value: { skillId: 'a-b', name: 'a-b', description: 'd', allowedTools, metadata: { v: 1 } },
    });
  });

  test('is read with a byte order mark and CRLF too', () => {
    const text = '\uFEFF---\r\nname: a\r\ndescription: d\r\n---\r\nbody';
    expect(parseSkill('a', text)).toMatchObject({ ok: true, value: { description: 'd' } });
  });

  test.each([
    ['another name than its folder', 'name: b\ndescription: d', 'the folder is "a"'],
    ['capitals', 'name: A\ndescription: d', 'lower-case words'],
    ['no description', 'name: a', 'description: is required'],
  ])('with %s is refused', (_, yaml, reason) => {
    const parsed = parseSkill('a', file(yaml));
    expect(parsed).toMatchObject({
      ok: false,
      problems: [{ message: expect.stringContaining(reason) }],
    });
  });
});

describe('a project is written', () => {
  const fields = { name: 'A', workingDir: '/a' };

  test('into a new file that reads as what was written', () => {
    const text = projectText(null, { ...fields, repo: { url: 'u' }, instructions: 'one\ntwo\n' });
    const value = text.ok ? text.value : '';
    expect(parseProject('a', value)).toEqual({
      ok: true,
      value: { id: 'a', ...fields, repo: { url: 'u' }, instructions: 'one\ntwo\n' },
    });
  });

  test('into a file whose comments, unknown keys, order and body stay', () => {
    const before = [
      '---',
      '# mine',
      'colour: red # why not',
      'workingDir: /old # here',
      'name: "A"',
      'model: m',
      'repo: { x: 1, url: u }',
      '---',
      '',
      'Body  ',
      '---',
      'more\t',
    ].join('\n');
    const after = projectText(before, { ...fields, repo: { url: 'v' }, sandbox: 'read-only' });
    expect(after).toEqual({
      ok: true,
      value: before
        .replace('/old', '/a')
        .replace('model: m\n', '')
        .replace('url: u }', 'url: v }\nsandbox: read-only'),
    });
  });

  test('but not over a file that cannot be read', () => {
    expect(projectText('---\nname: [\n---\n', fields)).toMatchObject({ ok: false });
  });
});

test.each([
  '..',
  '.',
  '',
  'a/b',
  'a\\b',
  '.git',
  'a..b',
  'con',
  'LPT1',
  'nul.txt',
  'a.',
  'ä',
  'x'.repeat(65),
])('the name %j is no id', (id) => expect(isLibraryId(id)).toBe(false));

test("a user's skill hides one of the registry, not one of a project", () => {
  const skill = (source: ScopedSkill['source'], skillId: string) => ({ source, skillId });
  const all = [
    skill('registry', 'a'),
    skill('registry', 'b'),
    skill('user', 'a'),
    skill('project', 'a'),
  ];
  expect(visibleSkills(all)).toEqual([
    skill('registry', 'b'),
    skill('user', 'a'),
    skill('project', 'a'),
  ]);
});

test('the wire has the fields of the files', () => {
  expectTypeOf<Project>().toExtend<ProjectItem>();
  expectTypeOf<keyof Project>().toEqualTypeOf<keyof ProjectItem>();
  expectTypeOf<ScopedSkill>().toExtend<SkillItem>();
  expectTypeOf<keyof ScopedSkill>().toEqualTypeOf<keyof SkillItem>();
});
