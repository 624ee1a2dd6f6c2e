import { expect, test } from 'vitest';
import { execArguments } from '../../../src/actors/codex-process/exec-arguments.ts';
import { plan } from '../../support/codex-process.ts';

const run = { ...plan, cwd: '/w' };

test('a new run has full access, and its prompt on stdin', () => {
  expect(execArguments(run, [])).toEqual([
    'exec',
    '--json',
    '--skip-git-repo-check',
    '--dangerously-bypass-approvals-and-sandbox',
    '--cd',
    '/w',
    '-',
  ]);
});

test('a limited run says so to Codex, also when it goes on with a session', () => {
  const limited = {
    ...run,
    sandbox: 'read-only',
    approvals: 'on-request',
    resumeId: 'S',
    model: 'm',
  } as const;
  expect(execArguments(limited, [])).toEqual([
    'exec',
    '--json',
    '--skip-git-repo-check',
    '--sandbox',
    'read-only',
    '--config',
    'approval_policy="on-request"',
    '--model',
    'm',
    '--cd',
    '/w',
    'resume',
    'S',
    '-',
  ]);
});

test.each([
  { extra: ['--search', '-c', 'a=1'], kept: ['--search', '-c', 'a=1'] },
  { extra: ['--json', '--dangerously-bypass-approvals-and-sandbox'], kept: [] },
  { extra: ['-s', 'read-only', '--sandbox=read-only', '-C', '/x', '--cd=/x'], kept: [] },
  { extra: ['-m', 'mine'], kept: ['-m', 'mine'] },
])('CODEX_ARGS $extra adds $kept', ({ extra, kept }) => {
  const bare = execArguments(run, []);
  expect(execArguments(run, extra)).toEqual([...bare.slice(0, -1), ...kept, '-']);
});

test('the model of a request beats the one of CODEX_ARGS', () => {
  const args = execArguments({ ...run, model: 'wanted' }, ['-m', 'mine', '--model=mine', 'rest']);
  expect(args).not.toContain('mine');
  expect(args.slice(-2)).toEqual(['rest', '-']);
});

test('a project’s instructions and its file for agents go as configuration', () => {
  const args = execArguments({ ...run, instructions: 'Say "yes".\nTwice.', agentFile: 'C.md' }, []);
  expect(args.slice(4, 8)).toEqual([
    '--config',
    String.raw`developer_instructions="Say \"yes\".\nTwice."`,
    '--config',
    'project_doc_fallback_filenames=["C.md"]',
  ]);
});
