import { expect, test } from 'vitest';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import { FileParser } from '../../../src/actors/sessions/line-parser.ts';

test('items that come before the oldest files name their directory are counted, however they are cut', () => {
  const said = (text: string) => ({
    type: 'message',
    role: 'user',
    content: [{ type: 'input_text', text }],
  });
  const lines = [
    { id: '01a207c1-f45b-71a3-856a-fbaa98617a45', timestamp: '2025-08-01T00:00:00.000Z' },
    said('early'),
    said('<environment_context>\n  <cwd>/srv/app</cwd>\n</environment_context>'),
    said('later'),
  ];
  const content = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  for (const size of [content.length, 100, 7]) {
    const parser = new FileParser(createRolloutReader({ path: 'rollout.jsonl' }), 1);
    const counts = { items: 0, withoutDirectory: 0 };
    for (let at = 0; at < content.length; at += size) {
      const { items, withoutDirectory } = parser.push(content.subarray(at, at + size), 0);
      counts.items += items.length;
      counts.withoutDirectory += withoutDirectory;
    }
    expect(counts).toEqual({ items: 3, withoutDirectory: 1 });
  }
});
