/** The result of an MCP call, in the spelling that file and stream share. Pure. */
import { z } from 'zod';
import { portableJson } from './portable-json.ts';
import type { JsonValue } from './thread-item.ts';

const anything = z.unknown().optional();
const result = z.object({
  content: z.array(z.unknown()),
  /** In the session file. */
  structuredContent: anything,
  /** In the stream. */
  structured_content: anything,
});

/** `{ content, structuredContent? }`; a result of another shape as it is. */
export function mcpResult(value: unknown): JsonValue {
  const parsed = result.safeParse(value);
  if (!parsed.success) return portableJson(value);
  const { content, structuredContent, structured_content: structured } = parsed.data;
  const shown = structuredContent ?? structured;
  return portableJson({ content, ...(shown == null ? {} : { structuredContent: shown }) });
}
