import { expect, test } from 'vitest';
import { z } from 'zod';
import { lineReaders } from '../../../src/codex/rollout/create-rollout-reader.ts';
import { type LineRule, lineKinds } from '../../../src/codex/rollout/line-kinds.ts';
import { fixture, readRollout } from '../../support/codex-files.ts';

const sample = z.object({ kind: z.string(), source: z.string(), line: z.string() });
/** One line of every kind that was met in a file, as it was written. */
const samples = fixture('line-kinds.jsonl').map((line) => sample.parse(JSON.parse(line)));
const rules: Readonly<Record<string, LineRule>> = lineKinds;

/** Known from Codex's public source only. */
const NEVER_MET = [
  'dynamic_tools_updated',
  'event_msg/agent_reasoning_section_break',
  'event_msg/collab_resume_end',
  'event_msg/item_completed/DynamicToolCall',
  'event_msg/item_completed/HookPrompt',
  'event_msg/item_completed/ImageGeneration',
  'event_msg/item_completed/ImageView',
  'event_msg/item_completed/Sleep',
  'event_msg/stream_error',
  'event_msg/warning',
  'inter_agent_communication',
  'realtime_item',
  'response_item/compaction',
  'response_item/compaction_summary',
  'response_item/context_compaction',
  'response_item/local_shell_call',
  'response_item/other',
  'retained_context',
  'security_risk_score',
];

const mapped = Object.entries(rules)
  .filter(([, rule]) => 'becomes' in rule)
  .map(([kind]) => kind);

test('every kind of line that the table maps has a reader, and no other has one', () => {
  expect(Object.keys(lineReaders).sort()).toEqual(mapped.sort());
});

test('every kind that is left out says why', () => {
  const reasons = Object.values(rules).flatMap((rule) => ('leftOut' in rule ? [rule.leftOut] : []));
  expect(reasons.filter((reason) => !/\w{3}/.test(reason))).toEqual([]);
});

test('every kind of line that was met in a file is in the table, and no other but those of the source', () => {
  const met = new Set(samples.map(({ kind }) => kind));
  expect([...met, ...NEVER_MET].sort()).toEqual(Object.keys(rules).sort());
});

const sampled = samples.map(({ kind, source, line }) => ({
  kind,
  source,
  line,
  rule: rules[kind] ?? { leftOut: 'not in the table' },
}));
const becoming = sampled.filter(({ rule }) => 'becomes' in rule);
const leftOutAlways = sampled.filter(({ rule }) => 'leftOut' in rule);

test.each(becoming)('$kind, as written by $source, becomes what the table says', (given) => {
  const { outcomes } = readRollout([given.line]);
  const parts = 'becomes' in given.rule ? given.rule.becomes.split(', ') : [];
  const became = outcomes.flatMap(({ items, thread, leftOut, problems }) => {
    const kinds: string[] = [...items.map(({ kind }) => kind), ...(thread ? ['thread'] : [])];
    const why = problems.map(({ reason }) => reason);
    return kinds.length > 0 || leftOut === undefined ? [...kinds, ...why] : [];
  });
  expect(parts).toEqual(expect.arrayContaining(became));
});

test.each(leftOutAlways)('$kind, as written by $source, is left out as the table says', (given) => {
  expect(readRollout([given.line]).outcomes).toEqual([{ items: [], problems: [], ...given.rule }]);
});
