/** Codex's token counts, in the file's and the stream's spelling, as `TokenUsage`. */
import { z } from 'zod';
import type { TokenUsage } from './thread-item.ts';

const count = z.number().catch(0).default(0);

/** Older releases lack some of the counts: they are 0 then. `total_tokens` is in the file only. */
export const tokenCounts = z
  .object({
    input_tokens: count,
    cached_input_tokens: count,
    output_tokens: count,
    reasoning_output_tokens: count,
    total_tokens: z.number().optional().catch(undefined),
  })
  .transform((counts): TokenUsage => ({
    inputTokens: counts.input_tokens,
    cachedInputTokens: counts.cached_input_tokens,
    outputTokens: counts.output_tokens,
    reasoningOutputTokens: counts.reasoning_output_tokens,
    totalTokens: counts.total_tokens ?? counts.input_tokens + counts.output_tokens,
  }));

/** What was used between two totals. Totals start anew after some resumes: then it is `later`. */
export function usageBetween(earlier: TokenUsage | undefined, later: TokenUsage): TokenUsage {
  if (!earlier || later.totalTokens < earlier.totalTokens) return later;
  return {
    inputTokens: later.inputTokens - earlier.inputTokens,
    cachedInputTokens: later.cachedInputTokens - earlier.cachedInputTokens,
    outputTokens: later.outputTokens - earlier.outputTokens,
    reasoningOutputTokens: later.reasoningOutputTokens - earlier.reasoningOutputTokens,
    totalTokens: later.totalTokens - earlier.totalTokens,
  };
}
