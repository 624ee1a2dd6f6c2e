/**
 * How many messages of a user and of the assistant a session file holds, counted from
 * what Codex displayed and nothing else. It knows nothing of the readers in `codex/`, and
 * shares no line of code with them: it is there to show what they overlook.
 */
export interface MessageCounts {
  user: number;
  assistant: number;
}

type Json = Record<string, unknown>;

/** Takes the lines of one file, of any generation, from the first one on. */
export class MessageCount {
  /** In order, because a rollback takes back what was said last. */
  readonly #displayed: (keyof MessageCounts)[] = [];
  readonly #bare: MessageCounts = { user: 0, assistant: 0 };
  /** Answers that the model was given; all that is left of them in a file that was cut down. */
  #given = 0;
  /** Prompts that the model was given and that are not displayed yet. */
  #prompts = 0;
  #first: Json | undefined;
  #records = 0;
  #owner: unknown;
  /** Lines of a fork are going by that its parent's file has too. */
  #isCopy = false;

  push(line: string): void {
    for (const record of recordsIn(line)) this.#count(record);
  }

  get counts(): MessageCounts {
    if (this.#first?.['payload'] === undefined) return this.#bare;
    if (this.#displayed.length === 0) return { user: 0, assistant: this.#given };
    const user = this.#displayed.filter((role) => role === 'user').length;
    return { user, assistant: this.#displayed.length - user };
  }

  #count(record: Json): void {
    this.#first ??= record;
    this.#records += 1;
    if (!this.#isOwn(record)) return;
    if (record['type'] === 'session_meta') this.#owner ??= payloadOf(record)['id'];
    if (record['type'] === 'event_msg') this.#countDisplayed(payloadOf(record));
    if (isGivenAnswer(record)) this.#given += 1;
    if (isGivenPrompt(record)) this.#prompts += 1;
    if (record['type'] === 'message') this.#countBare(record);
  }

  /** Not what a sub-agent or a fork has copied from its parent. */
  #isOwn(record: Json): boolean {
    if (this.#records === 1) return true;
    const meta = payloadOf(this.#first ?? {});
    const start = meta['subagent_history_start_ordinal'];
    if (typeof start === 'number') return Number(record['ordinal']) >= start;
    const { type, id, turn_id: turnId } = payloadOf(record);
    if (this.#records === 2 && this.#first?.['ordinal'] === undefined) {
      this.#isCopy = record['type'] === 'session_meta' && id !== meta['id'];
    }
    if (type === 'task_started' && String(turnId) > String(meta['id'])) this.#isCopy = false;
    return !this.#isCopy;
  }

  /** Codex displays each message by one event, and in newer files by one item of this thread. */
  #countDisplayed(payload: Json): void {
    const { type, thread_id: threadId } = payload;
    if (type === 'user_message') this.#displayPrompt();
    if (type === 'agent_message') this.#displayed.push('assistant');
    if (AROUND_TURNS.has(String(type))) this.#displayRest();
    if (type === 'thread_rolled_back') this.#takeBack(Number(payload['num_turns']));
    if (type !== 'item_completed' || threadId !== this.#owner) return;
    const item = objectOf(payload['item'])['type'];
    if (item === 'UserMessage') this.#displayPrompt();
    if (item === 'AgentMessage' || item === 'Plan') this.#displayed.push('assistant');
  }

  #displayPrompt(): void {
    this.#displayed.push('user');
    this.#prompts = Math.max(0, this.#prompts - 1);
  }

  /** Codex was killed before it displayed them; the next turn goes on from them. */
  #displayRest(): void {
    for (; this.#prompts > 0; this.#prompts -= 1) this.#displayed.push('user');
  }

  /** All from the prompt on that opens the first of the last `turns` turns. */
  #takeBack(turns: number): void {
    for (let left = turns; left > 0 && this.#displayed.includes('user'); left -= 1) {
      this.#displayed.length = this.#displayed.lastIndexOf('user');
    }
  }

  /** The oldest files have only what the model was given: injected texts open with a tag. */
  #countBare({ role, content }: Json): void {
    const [first] = Array.isArray(content) ? content.map(objectOf) : [];
    if (role === 'assistant') this.#bare.assistant += 1;
    if (role === 'user' && !/^\s*<\w+/.test(String(first?.['text']))) this.#bare.user += 1;
  }
}

const AROUND_TURNS: ReadonlySet<string> = new Set([
  'task_started',
  'task_complete',
  'turn_aborted',
]);

/** Newer files say of each message of a user whether it was typed. */
function isGivenPrompt(record: Json): boolean {
  const { type, role, internal_chat_message_metadata_passthrough: about } = payloadOf(record);
  if (record['type'] !== 'response_item' || type !== 'message' || role !== 'user') return false;
  const kinds = objectOf(about)['content_item_kinds'];
  return Array.isArray(kinds) && kinds.includes('user.text');
}

function isGivenAnswer(record: Json): boolean {
  const { type, role, content } = payloadOf(record);
  const isAnswer = record['type'] === 'response_item' && type === 'message' && role === 'assistant';
  return isAnswer && JSON.stringify(content).includes('"text"');
}

/** Nearly always one; where a torn line and whole ones stand on one, the whole ones. */
function recordsIn(line: string): Json[] {
  const whole = parsed(line);
  if (whole !== null) return [whole];
  return line
    .split(/(?=\{"timestamp":")/)
    .map((piece) => parsed(piece.replace(/\0+$/, '')))
    .filter((record) => record !== null);
}

function parsed(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function payloadOf(record: Json): Json {
  return objectOf(record['payload']);
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
