import { expect, test } from 'vitest';
import { embeddedImage, portableJson, portableJsonText } from '../../src/codex/portable-json.ts';

test.each([
  [{ a: [1, null, true, 'x'] }, { a: [1, null, true, 'x'] }],
  [{ $ref: 1 }, { json: '{"$ref":1}' }],
  [{ a: { _meta: 1 } }, { json: '{"a":{"_meta":1}}' }],
  [{ schlüssel: 1 }, { json: '{"schlüssel":1}' }],
  [{ '': 1 }, { json: '{"":1}' }],
  [undefined, null],
  ['\ud800', '\uFFFD'],
])('%j is kept as %j', (value, kept) => {
  expect({ ...Object(portableJson(value)) }).toEqual({ ...Object(kept) });
  expect(JSON.stringify(portableJson(value))).toBe(JSON.stringify(kept));
});

test('a key named __proto__ stays a key', () => {
  expect(JSON.stringify(portableJson(JSON.parse('{"__proto__":{"a":1}}')))).toBe(
    '{"json":"{\\"__proto__\\":{\\"a\\":1}}"}',
  );
});

test('what is nested too deep or too wide becomes text', () => {
  const deep = JSON.parse(`${'['.repeat(50)}${']'.repeat(50)}`);
  expect(portableJson(deep)).toEqual({ json: JSON.stringify(deep) });
  const wide = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`k${n}`, n]));
  expect(portableJson(wide)).toEqual({ json: JSON.stringify(wide) });
});

test('base64 inside of results becomes what it is', () => {
  const data = Buffer.alloc(2000, 1).toString('base64');
  const image = { mime: 'image/png', bytes: 2000, sha256: expect.any(String) };
  expect(
    portableJson([
      { type: 'image', data, mimeType: 'image/png' },
      { url: `data:image/png;base64,${data}` },
    ]),
  ).toEqual([{ type: 'image', ...image }, { url: image }]);
});

test('text that is no JSON stays text', () => {
  expect(portableJsonText('{"a":1}')).toEqual({ a: 1 });
  expect(portableJsonText('const x = 1;')).toBe('const x = 1;');
});

test('only data URLs hold an image', () => {
  expect(embeddedImage('https://example.org/a.png')).toBeNull();
  expect(embeddedImage('data:image/gif;base64,AAAA')).toMatchObject({
    mime: 'image/gif',
    bytes: 3,
  });
});
