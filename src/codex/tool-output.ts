/** What a tool gave back to the model, joined to its call. Pure. */
import { z } from 'zod';
import { contentParts, readParts } from './content-parts.ts';
import type { ItemContent } from './item-content.ts';
import type { WorkStatus } from './item-data.ts';
import { portableJson } from './portable-json.ts';
import type { JsonObject } from './thread-item.ts';

/**
 * The call with its outcome; null while the command still runs in the background:
 * then its end comes as an item of its own.
 */
export function withOutput<Call extends ItemContent>(call: Call, output: unknown): Call | null {
  const text = outputText(output);
  if (call.kind === 'cmd') {
    const outcome = commandOutcome(text);
    return outcome && { ...call, data: { ...call.data, ...outcome } };
  }
  const status = statusOf(text, output);
  if (call.kind === 'file') {
    const error = status === 'completed' ? {} : { error: text };
    return { ...call, data: { ...call.data, status, ...error } };
  }
  if (call.kind === 'todo') return { ...call, data: { ...call.data, status } };
  const result = status === 'completed' ? { result: resultOf(output) } : { error: text };
  return { ...call, data: { ...call.data, status, ...result } };
}

/** Old releases: `{"output":"…","metadata":{"exit_code":0,"duration_seconds":0.1}}` as text. */
const structured = z.object({
  output: z.string(),
  metadata: z.object({
    exit_code: z.number().optional().catch(undefined),
    duration_seconds: z.number().optional().catch(undefined),
  }),
});

const STILL_RUNNING = /^Process running with session ID \S+$/m;
const EXIT_CODE = /^(?:Process exited with code|Exit code:) (-?\d+)$/m;
const WALL_TIME = /^Wall time: ([\d.]+) seconds?$/m;
const OUTPUT_HEADING = /^Output:\n/m;
/** The lines before `Output:` are few and short; a command's own output may hold such lines too. */
const HEAD_CHARACTERS = 600;

function commandOutcome(text: string): JsonObject | null {
  const old = structuredOutcome(text);
  if (old) return old;
  const heading = OUTPUT_HEADING.exec(text.slice(0, HEAD_CHARACTERS));
  const head = heading ? text.slice(0, heading.index) : text.slice(0, HEAD_CHARACTERS);
  if (STILL_RUNNING.test(head)) return null;
  const code = EXIT_CODE.exec(head)?.[1];
  const wallTime = WALL_TIME.exec(head)?.[1];
  const known = code !== undefined;
  const exitCode = Number(code);
  return {
    status: known ? exitStatus(exitCode) : failure(text) ? statusOfFailure(text) : 'completed',
    output: heading ? text.slice(heading.index + heading[0].length) : text,
    ...(known ? { exitCode } : {}),
    ...(wallTime === undefined ? {} : { durationMs: Math.round(Number(wallTime) * 1000) }),
  };
}

function structuredOutcome(text: string): JsonObject | null {
  if (!text.startsWith('{')) return null;
  try {
    const parsed = structured.safeParse(JSON.parse(text));
    if (!parsed.success) return null;
    const { exit_code: exitCode, duration_seconds: seconds } = parsed.data.metadata;
    return {
      status: exitCode === undefined ? 'completed' : exitStatus(exitCode),
      output: parsed.data.output,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(seconds === undefined ? {} : { durationMs: Math.round(seconds * 1000) }),
    };
  } catch {
    return null;
  }
}

/** Openings of what the harness, not the tool, says when a call did not work. */
const FAILURE =
  /^(?:unsupported call|apply_patch verification failed|patch rejected|exec_command failed|Script failed|failed to |execution error|tool call error|aborted|command timed out|err:)/i;
const REJECTION = /rejected by (?:the )?user|Rejected\(|patch rejected|user rejected/i;
const ABORT = /^aborted/i;

function failure(text: string): boolean {
  return FAILURE.test(text) || REJECTION.test(text.slice(0, HEAD_CHARACTERS));
}

function statusOfFailure(text: string): WorkStatus {
  if (REJECTION.test(text.slice(0, HEAD_CHARACTERS))) return 'declined';
  return ABORT.test(text) ? 'interrupted' : 'failed';
}

function exitStatus(exitCode: number): WorkStatus {
  return exitCode === 0 ? 'completed' : 'failed';
}

function statusOf(text: string, output: unknown): WorkStatus {
  if (z.object({ success: z.literal(false) }).safeParse(output).success) return 'failed';
  if (failure(text)) return statusOfFailure(text);
  const code = EXIT_CODE.exec(text.slice(0, HEAD_CHARACTERS))?.[1];
  return code === undefined ? 'completed' : exitStatus(Number(code));
}

function outputText(output: unknown): string {
  if (typeof output === 'string') return output;
  const wrapped = z.object({ content: z.unknown().optional() }).safeParse(output);
  const parts = wrapped.success && !Array.isArray(output) ? wrapped.data.content : output;
  return readParts(contentParts.parse(parts)).text;
}

function resultOf(output: unknown) {
  return portableJson(output);
}
