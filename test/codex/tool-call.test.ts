import { expect, test } from 'vitest';
import { patchChanges } from '../../src/codex/patch-text.ts';
import { callContent } from '../../src/codex/tool-call.ts';
import { withOutput } from '../../src/codex/tool-output.ts';

function summary(name: string, input: unknown, namespace?: string) {
  const text = typeof input === 'string' ? input : JSON.stringify(input);
  const call = callContent({
    name,
    input: text,
    ...(namespace === undefined ? {} : { namespace }),
  });
  return [call.kind, call.text];
}

test.each([
  ['exec_command', { cmd: 'ls -l' }, ['cmd', 'ls -l']],
  ['shell', { command: ['bash', '-lc', 'ls'] }, ['cmd', 'ls']],
  ['shell_command', { command: 'ls' }, ['cmd', 'ls']],
  ['container.exec', { command: ['ls', '-l'] }, ['cmd', 'ls -l']],
  [
    'shell',
    { command: ['apply_patch', '*** Begin Patch\n*** Delete File: a\n*** End Patch'] },
    ['file', 'delete a'],
  ],
  ['apply_patch', '*** Begin Patch\n*** Add File: a\n+x\n*** End Patch', ['file', 'add a']],
  [
    'apply_patch',
    { input: '*** Begin Patch\n*** Delete File: a\n*** End Patch' },
    ['file', 'delete a'],
  ],
  [
    'exec_command',
    { cmd: "apply_patch <<'EOF'\n*** Begin Patch\n*** Delete File: a\n*** End Patch\nEOF" },
    ['file', 'delete a'],
  ],
  [
    'shell',
    { command: ['bash', '-lc', 'cd b && apply_patch <<X\n*** Delete File: a\nX'] },
    ['file', 'delete a'],
  ],
  ['exec_command', { cmd: 'grep apply_patch << x' }, ['cmd', 'grep apply_patch << x']],
  ['apply_patch', 'no patch at all', ['mcp', 'apply_patch']],
  ['update_plan', { plan: [{ step: 'look', status: 'completed' }] }, ['todo', '- [x] look']],
  ['update_plan', { plan: 'none' }, ['mcp', 'update_plan']],
  ['mcp__demo__list__all', {}, ['mcp', 'demo.list__all']],
  ['exec', 'text(1)', ['mcp', 'exec']],
  ['exec_command', 'not json', ['mcp', 'exec_command']],
])('%s %j is %j', (name, input, expected) => {
  expect(summary(name, input)).toEqual(expected);
});

test('a tool of a server may be named by its namespace', () => {
  expect(summary('echo', {}, 'mcp__demo')).toEqual(['mcp', 'demo.echo']);
});

function outcome(call: { name: string; input: object }, output: unknown) {
  const content = callContent({ name: call.name, input: JSON.stringify(call.input) });
  return withOutput(content, output)?.data;
}

const shell = { name: 'exec_command', input: { cmd: 'x' } };

test.each([
  [
    'Chunk ID: 1\nWall time: 0.5000 seconds\nProcess exited with code 3\nOriginal token count: 9\nOutput:\nExit code: 0\n',
    { status: 'failed', exitCode: 3, durationMs: 500, output: 'Exit code: 0\n' },
  ],
  [
    'Exit code: 0\nWall time: 2 seconds\nOutput:\nok',
    { status: 'completed', exitCode: 0, output: 'ok' },
  ],
  [
    '{"output":"ok","metadata":{"exit_code":1,"duration_seconds":0.25}}',
    { status: 'failed', exitCode: 1, durationMs: 250, output: 'ok' },
  ],
  ['exec_command failed: CreateProcess { message: "Rejected(\\"no\\")" }', { status: 'declined' }],
  ['aborted by user after 3.1s', { status: 'interrupted' }],
  ['plain', { status: 'completed', output: 'plain' }],
  [
    { content: 'plain', success: true },
    { status: 'completed', output: 'plain' },
  ],
])('a command that gives back %j ended so', (output, data) => {
  expect(outcome(shell, output)).toMatchObject(data);
});

test('a command that still runs has no outcome yet', () => {
  const output =
    'Chunk ID: 1\nWall time: 1 seconds\nProcess running with session ID 12\nOutput:\ntick\n';
  expect(outcome(shell, output)).toBeUndefined();
});

test('a failed script keeps its call and says what went wrong', () => {
  const exec = { name: 'exec', input: {} };
  const parts = [
    { type: 'input_text', text: 'Script failed\nWall time 0.4 seconds\nOutput:\n' },
    { type: 'input_text', text: 'Error: js boom' },
  ];
  expect(outcome(exec, parts)).toMatchObject({
    tool: 'exec',
    status: 'failed',
    error: expect.stringContaining('js boom'),
  });
});

test('a patch gives its files with what changes in each', () => {
  const patch = `*** Begin Patch
*** Add File: new.txt
+one
+two
*** Update File: old.txt
*** Move to: moved.txt
@@
-a
+b
*** Delete File: gone.txt
*** End Patch`;
  expect(patchChanges(patch)).toEqual([
    { path: 'new.txt', kind: 'add', content: 'one\ntwo\n' },
    { path: 'old.txt', kind: 'update', movePath: 'moved.txt', diff: '@@\n-a\n+b\n' },
    { path: 'gone.txt', kind: 'delete' },
  ]);
});
