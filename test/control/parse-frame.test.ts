import { expect, test } from 'vitest';
import { parseFrame } from '../../src/control/parse-frame.ts';

test('a request with all its fields is understood, and unknown extra fields are ignored', () => {
  expect(parseFrame('{"control":"echo","id":7,"payload":{"a":1},"tag":"t","extra":true}')).toEqual({
    kind: 'request',
    id: 7,
    request: { control: 'echo', id: 7, payload: { a: 1 }, tag: 't' },
  });
});

test.each([
  ['{"control":', 'invalid_json'],
  ['{"id":1}', 'invalid_request'],
  ['{"control":5}', 'invalid_request'],
  ['{"control":"no.such.verb","id":"x"}', 'unknown_control'],
  ['{"control":"sessions.watch","enabled":"yes","id":3}', 'invalid_request'],
  ['{"control":"run.submit","threadDocId":"../../etc","text":"hi"}', 'invalid_request'],
  ['{"control":"run.submit","threadDocId":"abc","text":"hi","model":"--evil"}', 'invalid_request'],
  ['{"control":"run.status","runId":"constructor"}', 'invalid_request'],
  [`{"control":"echo","payload":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 'invalid_request'],
  ['   ', 'invalid_request'],
  ['{"cd":"/tmp"}\n', 'invalid_request'],
  ['{"cd":5}\nfix it', 'invalid_request'],
])('%j is answered with %s', (frame, code) => {
  expect(parseFrame(frame)).toMatchObject({ kind: 'error', error: { code } });
});

test('an error carries the id of the request when it had a usable one', () => {
  expect(parseFrame('{"control":5,"id":"mine"}')).toMatchObject({ kind: 'error', id: 'mine' });
  expect(parseFrame('{"control":"nope","id":9}')).toMatchObject({ kind: 'error', id: 9 });
});

test('an error names the field that is wrong, for clients that show the message alone', () => {
  expect(parseFrame('{"control":"sessions.watch","enabled":"yes"}')).toMatchObject({
    error: { message: expect.stringContaining('(enabled: ') },
  });
});

test('an error that is no single field’s says what is wrong with them together', () => {
  const parsed = parseFrame('{"control":"sessions.verify"}');
  expect(parsed.kind === 'error' && parsed.error.message).toContain(
    '(give exactly one of all, thread, path and cancel)',
  );
});

test('plain text is a prompt, kept to the letter, also when it looks like a number or a list', () => {
  for (const text of ['fix the tests', '42', '[x] done', ' - leading dash']) {
    expect(parseFrame(text)).toEqual({ kind: 'prompt', prompt: { text } });
  }
});

test('a config line before the text is taken off and obeyed', () => {
  expect(parseFrame('{"cd":"/srv/app","resume":"last","sandbox":"read-only"}\nfix\nit')).toEqual({
    kind: 'prompt',
    prompt: { cd: '/srv/app', resume: 'last', sandbox: 'read-only', text: 'fix\nit' },
  });
});
