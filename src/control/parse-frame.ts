/** One incoming text frame: a request, a prompt of the older client, or an error to answer. */
import { z } from 'zod';
import { approvalMode, sandboxMode } from './modes.ts';
import { controlRequest, type ControlRequest } from './requests.ts';
import type { ControlError } from './frames.ts';
import { jsonOrUndefined } from './json-or-undefined.ts';

export type ParsedFrame =
  | { kind: 'request'; id: string | number | undefined; request: ControlRequest }
  | { kind: 'prompt'; prompt: PromptFrame }
  | { kind: 'error'; id: string | number | undefined; error: ControlError };

/** The older client's way to submit: text, with an optional JSON config line before it. */
export type PromptFrame = z.infer<typeof promptConfig> & { text: string };

const promptConfig = z.object({
  cd: z.string().min(1).max(4096).optional(),
  resume: z.string().min(1).max(128).optional(),
  sandbox: sandboxMode.optional(),
  approval: approvalMode.optional(),
});

export function parseFrame(frame: string): ParsedFrame {
  const text = frame.trim();
  if (text === '') return failed('invalid_request', 'The frame is empty.');
  // Only what opens a JSON object is taken for JSON: "42" or "[x] done" are prompts.
  if (!text.startsWith('{')) return { kind: 'prompt', prompt: { text: frame } };
  const whole = jsonOrUndefined(text);
  if (isTooDeep(whole)) {
    return failed('invalid_request', `A frame may be ${MAX_DEPTH} levels deep.`, idOf(whole));
  }
  return whole === undefined ? parseConfiguredPrompt(text) : parseRequest(whole);
}

/** The id of a frame that is refused for other reasons than what it says, if it has a usable one. */
export function frameId(frame: string): string | number | undefined {
  return idOf(jsonOrUndefined(frame));
}

function parseRequest(value: unknown): ParsedFrame {
  const envelope = requestEnvelope.safeParse(value);
  if (!envelope.success) {
    return failed(
      'invalid_request',
      'A JSON frame needs a "control" field that names a verb, and an "id" that is a string or a number.',
      idOf(value),
      envelope.error.issues,
    );
  }
  const { id, control } = envelope.data;
  if (!verbs.has(control)) {
    return failed('unknown_control', `There is no verb "${control.slice(0, 64)}".`, id);
  }
  const request = controlRequest.safeParse(value);
  if (!request.success) {
    return failed(
      'invalid_request',
      `The fields of "${control}" are not as they should be (${firstOf(request.error)}); see issues.`,
      id,
      request.error.issues,
    );
  }
  return { kind: 'request', id, request: request.data };
}

function parseConfiguredPrompt(text: string): ParsedFrame {
  const newline = text.indexOf('\n');
  const config = newline === -1 ? undefined : jsonOrUndefined(text.slice(0, newline));
  if (config === undefined) return failed('invalid_json', 'The frame is not valid JSON.');
  const rest = text.slice(newline + 1).trim();
  const parsed = promptConfig.safeParse(config);
  if (!parsed.success) {
    return failed(
      'invalid_request',
      `The config line before the prompt is not as it should be (${firstOf(parsed.error)}); see issues.`,
      undefined,
      parsed.error.issues,
    );
  }
  if (rest === '') return failed('invalid_request', 'The prompt behind the config line is empty.');
  return { kind: 'prompt', prompt: { ...parsed.data, text: rest } };
}

const requestEnvelope = z.object({
  control: z.string(),
  id: z.union([z.string().max(256), z.number()]).optional(),
});

const verbs: ReadonlySet<string> = new Set(
  controlRequest.options.map((option) => option.shape.control.value),
);

function idOf(value: unknown): string | number | undefined {
  const parsed = z.object({ id: z.union([z.string().max(256), z.number()]) }).safeParse(value);
  return parsed.success ? parsed.data.id : undefined;
}

/** What a payload has at most in practice; a schema is checked by recursion, and the stack is finite. */
const MAX_DEPTH = 64;

function isTooDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((each) =>
      typeof each === 'object' && each !== null ? Object.values(each) : [],
    );
  }
  return false;
}

/** For clients that show the message alone. */
function firstOf({ issues }: z.core.$ZodError): string {
  const [first] = issues;
  return [first?.path.join('.'), first?.message].filter(Boolean).join(': ');
}

function failed(
  code: ControlError['code'],
  message: string,
  id?: string | number,
  issues?: unknown[],
): ParsedFrame {
  return { kind: 'error', id, error: { code, message, ...(issues && { issues }) } };
}
