/**
 * Session files that cost what real ones cost. Line kinds, their shares and the lengths of
 * their texts are those of 27 published sessions of Codex 0.34 to 0.58 (7.5 MB, 6100
 * lines); the lines themselves are the fixture's, its words are what the texts are made of.
 *
 * About 1.2 KB a line, half of them under 430 bytes; a third of all bytes is encrypted
 * reasoning, a tenth token counts: a reader has to parse them and keeps none of it.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const fixtures = new URL('../../test/fixtures/codex/', import.meta.url);
const templates = readLines(new URL('0.42.0/cmd/rollout.jsonl', fixtures));
const words = wordsOf(readFileSync(new URL('0.169.0/par/rollout.jsonl', fixtures), 'utf8'));

/** Characters at the 0th, 50th, 90th, 99th and 100th percentile. */
const LENGTHS = {
  prompt: [20, 200, 2_600, 12_000, 60_000],
  answer: [40, 1_550, 2_950, 4_300, 5_200],
  summary: [20, 50, 460, 760, 1_000],
  encrypted: [300, 1_350, 6_600, 22_000, 78_000],
  command: [20, 170, 1_600, 7_000, 13_000],
  output: [10, 230, 5_600, 9_800, 38_000],
} as const satisfies Record<string, readonly [number, number, number, number, number]>;

/** For each call of a tool, how many of the other lines there are. */
const PER_CALL = { reasoning: 0.75, summary: 0.66, tokens: 1.42, turnContext: 0.67, turn: 0.105 };

export interface RealisticSession {
  path: string;
  threadId: string;
  bytes: number;
}

/** Writes a session of at least `bytes`, the same for the same `seed` but for its ids. */
export function writeRealisticSession(
  codexHome: string,
  { at, bytes, seed }: { at: Date; bytes: number; seed: number },
): RealisticSession {
  const threadId = randomUUID();
  const path = sessionPath(codexHome, at, threadId);
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  let written = 0;
  for (const chunk of sessionChunks(threadId, at, seed)) {
    written += writeSync(file, chunk);
    if (written >= bytes) break;
  }
  closeSync(file);
  return { path, threadId, bytes: written };
}

function sessionPath(codexHome: string, at: Date, threadId: string): string {
  const [day = '', time = ''] = at.toISOString().split('T');
  const stamp = `${day}T${time.slice(0, 8).replaceAll(':', '-')}`;
  return join(codexHome, 'sessions', ...day.split('-'), `rollout-${stamp}-${threadId}.jsonl`);
}

/** One call of a tool after the other, with all that stands around it. */
function* sessionChunks(threadId: string, at: Date, seed: number): Generator<string> {
  const random = seededRandom(seed);
  let ms = at.getTime();
  let total = 0;
  const line = (kind: string, change: object): string => {
    ms += 100 + Math.floor(random() * 900);
    const { type, payload } = template(kind);
    const timestamp = new Date(ms).toISOString();
    return `${JSON.stringify({ timestamp, type, payload: { ...payload, ...change } })}\n`;
  };
  const text = (lengths: readonly number[]) => textOf(random, lengthOf(random, lengths));
  const tokens = () => {
    total += Math.floor(random() * 60_000);
    const usage = {
      input_tokens: total,
      cached_input_tokens: Math.floor(total * 0.9),
      output_tokens: Math.floor(total / 80),
      reasoning_output_tokens: Math.floor(total / 300),
      total_tokens: total,
    };
    const window = { used_percent: 12.5, window_minutes: 299, resets_in_seconds: 14_400 };
    return line('token_count', {
      info: {
        total_token_usage: usage,
        last_token_usage: usage,
        model_context_window: 272_000,
      },
      rate_limits: { primary: window, secondary: { ...window, window_minutes: 10_079 } },
    });
  };
  const prompt = () => {
    const said = text(LENGTHS.prompt);
    return (
      line('message/user', { content: [{ type: 'input_text', text: said }] }) +
      line('user_message', { message: said })
    );
  };
  const answer = () => {
    const said = text(LENGTHS.answer);
    return (
      line('agent_message', { message: said }) +
      line('message/assistant', { content: [{ type: 'output_text', text: said }] })
    );
  };
  const summary = (said: string) => line('agent_reasoning', { text: said });
  const reasoning = (said: string | null) =>
    line('reasoning', {
      summary: said === null ? [] : [{ type: 'summary_text', text: said }],
      encrypted_content: encrypted(random, lengthOf(random, LENGTHS.encrypted)),
    });

  yield line('session_meta', { id: threadId, timestamp: at.toISOString() }) + prompt();
  for (;;) {
    const callId = `call_${hex(random, 24)}`;
    const said = random() < PER_CALL.summary / PER_CALL.reasoning ? text(LENGTHS.summary) : null;
    let lines = '';
    if (random() < PER_CALL.turnContext) lines += line('turn_context', {});
    if (random() < PER_CALL.reasoning) {
      if (said !== null) lines += summary(said);
      lines += reasoning(said);
    }
    lines += line('function_call', {
      arguments: JSON.stringify({ command: ['bash', '-lc', text(LENGTHS.command)] }),
      call_id: callId,
    });
    lines += tokens();
    lines += line('function_call_output', {
      call_id: callId,
      output: JSON.stringify({
        output: text(LENGTHS.output),
        metadata: { exit_code: 0, duration_seconds: 0.2 },
      }),
    });
    if (random() < PER_CALL.tokens - 1) lines += tokens();
    if (random() < PER_CALL.turn) lines += answer() + prompt();
    yield lines;
  }
}

interface Line {
  type: string;
  payload: Record<string, unknown> & { type?: string; role?: string };
}

function readLines(file: URL): Map<string, Line> {
  const lines = new Map<string, Line>();
  for (const text of readFileSync(fileURLToPath(file), 'utf8').split('\n')) {
    if (text === '') continue;
    const { type, payload }: Line = JSON.parse(text);
    const kind = payload.type ?? type;
    lines.set(payload.role === undefined ? kind : `${kind}/${payload.role}`, { type, payload });
  }
  return lines;
}

function template(kind: string): Line {
  const found = templates.get(kind);
  if (found === undefined) throw new Error(`the fixture has no line of the kind ${kind}`);
  return found;
}

function wordsOf(text: string): string[] {
  return text
    .replaceAll(String.raw`\n`, '\n')
    .replaceAll(String.raw`\"`, '"')
    .split(' ')
    .filter((word) => word.length < 40);
}

/** Lines of words, as outputs and answers have them. */
function textOf(random: () => number, length: number): string {
  let at = Math.floor(random() * words.length);
  let text = '';
  for (let column = 0; text.length < length;) {
    const word = words[at] ?? '';
    at = (at + 1) % words.length;
    if (random() < 0.01) at = Math.floor(random() * words.length);
    column = word.includes('\n') ? 0 : column + word.length + 1;
    if (column > 60) column = 0;
    text += column === 0 ? `${word}\n` : `${word} `;
  }
  return text.slice(0, length);
}

function encrypted(random: () => number, length: number): string {
  let text = 'gAAAAAB';
  while (text.length < length) text += Math.floor(random() * 2 ** 48).toString(36);
  return text.slice(0, length);
}

function hex(random: () => number, length: number): string {
  let text = '';
  while (text.length < length) text += Math.floor(random() * 16).toString(16);
  return text;
}

/** Between two of the percentiles the lengths grow geometrically, as measured ones nearly do. */
function lengthOf(random: () => number, lengths: readonly number[]): number {
  const share = random();
  const marks = [0, 0.5, 0.9, 0.99, 1];
  const upper = marks.findIndex((mark) => share < mark);
  const [low = 0, high = 1] = [marks[upper - 1], marks[upper]];
  const [from = 1, to = 1] = [lengths[upper - 1], lengths[upper]];
  return Math.round(from * (to / from) ** ((share - low) / (high - low)));
}

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
