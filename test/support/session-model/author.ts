/** Writes lines as Codex of four generations does, and enters in the book what each means. */
import type { SeededRandom } from '../crash-swarm/seeded-random.ts';
import { LineBook, sha256, type ModelRow } from './line-book.ts';

/**
 * `bare`: up to 0.29. `wrapped`: without ids. `turns`: wrapped, with ids of turns (from 0.101).
 * `ordinal`: numbered lines, and every item has an id (from 0.148).
 */
const GENERATIONS = ['bare', 'wrapped', 'turns', 'ordinal'] as const;
type Generation = (typeof GENERATIONS)[number];

export interface ModelSession {
  threadId: string;
  generation: Generation;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** Lines before this ordinal were copied from the parent. */
  firstOwnOrdinal: number;
}

/** Typed again and again: each time a message of its own. */
const USUAL_PROMPTS = ['yes', 'continue', 'run the tests'] as const;
/** What a text may have in it besides its number. */
const SPICE = [
  '',
  '',
  ' ',
  '\u2028',
  '\u0000',
  '😀',
  '\ud800',
  '"\\',
  '__proto__',
  'ö\r\n',
] as const;
/** Bytes: over the length at which a line is not held whole any more. */
const LONG_TEXT = 560 * 1_024;
/** A pixel; and one picture in a few is so large that its line is long. */
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export class Author {
  readonly book = new LineBook();
  /** Milliseconds since the epoch, in the time of the campaign. */
  now = Date.UTC(2026, 0, 2, 3);
  readonly #turnStarts = new Set<string>();
  #texts = 0;
  #turnId = '';
  #ordinal = 0;
  #session: ModelSession = newSession('', 'bare', 0);
  /** Replaced with each step, so that steps do not depend on those before them. */
  random: SeededRandom;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  begin(): ModelSession {
    this.now += 5_000;
    const generation = this.random.pick(GENERATIONS);
    return newSession(this.uuid(generation !== 'bare'), generation, this.now);
  }

  meta(session: ModelSession, more: object = {}): Buffer {
    this.#session = session;
    this.#ordinal = 0;
    const { threadId: id, createdAt } = session;
    const timestamp = new Date(createdAt).toISOString();
    const meaning = { is: 'meta', threadId: id } as const;
    if (session.generation === 'bare') {
      return this.book.write({ id, timestamp, instructions: null, git: { branch: 'x' } }, meaning);
    }
    const payload = {
      id,
      timestamp,
      cwd: '/srv/project',
      originator: 'codex_cli_rs',
      cli_version: { wrapped: '0.42.0', turns: '0.120.0', ordinal: '0.169.0' }[session.generation],
      source: 'cli',
      ...(session.generation === 'ordinal' && { history_mode: 'paginated', thread_source: 'user' }),
      ...more,
    };
    return this.book.write(this.#wrapped('session_meta', payload), meaning);
  }

  /** A turn of a few items: a prompt, and then what the model did. `lines` are in the file already. */
  turn(session: ModelSession, lines: number): Buffer[] {
    this.#session = session;
    this.#ordinal = Math.max(lines, session.firstOwnOrdinal);
    this.now += this.random.between(3_000, 90_000);
    const items = [...this.#startTurn(), ...this.#prompt()];
    for (let count = this.random.between(0, 3); count > 0; count -= 1) {
      this.now += this.random.between(0, 900);
      const item = this.random.next();
      if (item < 0.45) items.push(...this.#answer());
      else if (item < 0.7) items.push(...this.#command());
      else if (item < 0.85) items.push(...this.#reason());
      else items.push(...this.#noise());
    }
    if (items[0] !== undefined) this.#turnStarts.add(sha256(items[0]));
    return this.random.next() < 0.7 ? [...items, ...this.#endTurn()] : items;
  }

  beginsTurn(line: Buffer): boolean {
    return this.#turnStarts.has(sha256(line));
  }

  /** A line that nobody can make sense of. */
  garbage(session: ModelSession, lines: number): Buffer {
    this.#session = session;
    this.#ordinal = Math.max(lines, session.firstOwnOrdinal);
    const depth = 10_001;
    // Else a fork's might be a line of its parent, of which the parent's own file tells.
    const turn = session.generation === 'turns' ? { turn_id: this.uuid(true) } : {};
    const event = (payload: object) => this.#wrapped('event_msg', { ...payload, ...turn });
    return this.random.pick<() => Buffer>([
      () => this.book.write(event({ type: 'of tomorrow' }), { is: 'unknown' }),
      () => this.book.write(this.#wrapped('of_tomorrow', { n: 1 }), { is: 'unknown' }),
      () => Buffer.from('not JSON'),
      () => Buffer.from([0xff, 0xfe, 0x80, 0x41]),
      () => Buffer.alloc(40),
      () => Buffer.from('["timestamp"]'),
      () => Buffer.from(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`),
      () => this.book.write(event({ type: 'agent_message', message: 7 }), { is: 'unknown' }),
    ])();
  }

  /**
   * A fork as Codex writes it: files that number their lines say where the copy ends, others
   * have the parent's lines behind its meta, with the time of the fork.
   */
  fork(parent: ModelSession, parentLines: readonly Buffer[]): [ModelSession, Buffer[]] {
    this.now += 5_000;
    const session = newSession(this.uuid(true), parent.generation, this.now);
    const own = parent.generation === 'ordinal' ? parentLines.length + 1 : 0;
    session.firstOwnOrdinal = own;
    const more =
      own === 0
        ? { forked_from_id: parent.threadId }
        : { parent_thread_id: parent.threadId, subagent_history_start_ordinal: own };
    const copies = parentLines.map((line, index) => this.#copy(line, index + 1));
    return [session, [this.meta(session, more), ...copies]];
  }

  uuid(ordered: boolean): string {
    const random = () => this.random.between(0, 0xff);
    const bytes = Buffer.from(Array.from({ length: 16 }, random));
    if (ordered) bytes.writeUIntBE(this.now, 0, 6);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (ordered ? 0x70 : 0x40);
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  #startTurn(): Buffer[] {
    if (this.#isBare || this.#session.generation === 'wrapped') return [];
    this.#turnId = this.uuid(true);
    return [this.#turnLine('task_started')];
  }

  #endTurn(): Buffer[] {
    if (this.#isBare) return [this.book.write({ record_type: 'state' }, { is: 'nothing' })];
    if (this.#session.generation !== 'wrapped') return [this.#turnLine('task_complete')];
    const info = { total_token_usage: { total_tokens: this.random.between(1, 1e6) } };
    return [this.#line('event_msg', { type: 'token_count', info }, { is: 'nothing' })];
  }

  #turnLine(type: string): Buffer {
    const row: ModelRow = { key: this.#turnId, isCounted: false, kind: 'turn' };
    return this.#line('event_msg', { type, turn_id: this.#turnId }, { is: 'turn', row });
  }

  #prompt(): Buffer[] {
    const text = this.random.next() < 0.3 ? this.random.pick(USUAL_PROMPTS) : this.#text('prompt');
    const image = this.random.next() < 0.15 ? this.#image() : null;
    const parts = [
      { type: 'input_text', text },
      ...(image === null ? [] : [{ type: 'input_image', image_url: image }]),
    ];
    if (this.#isBare) {
      return [
        this.#bareItem({ type: 'message', id: null, role: 'user', content: parts }, 'user', text),
      ];
    }
    const copy = { type: 'message', role: 'user', content: parts };
    if (this.#session.generation !== 'ordinal') {
      const event = {
        type: 'user_message',
        message: text,
        images: image === null ? [] : [image],
      };
      return [
        this.#line('response_item', copy, {
          is: 'copy',
          text,
          row: this.#counted(copy, { kind: 'preface', role: 'user', text }),
        }),
        this.#line('event_msg', event, {
          is: 'shown',
          text,
          settles: true,
          row: this.#counted(event, { kind: 'message', role: 'user', text }),
        }),
      ];
    }
    const row = { kind: 'message', role: 'user', text } as const;
    const copyId = `msg_${this.uuid(true)}`;
    const item = {
      type: 'UserMessage',
      id: this.uuid(true),
      content: [
        { type: 'text', text, text_elements: [] },
        ...(image === null ? [] : [{ type: 'image', image_url: image }]),
      ],
    };
    return [
      this.#line(
        'response_item',
        { ...copy, id: copyId, ...this.#passthrough('user.text') },
        { is: 'copy', text, row: this.#ofItem(copyId, row) },
      ),
      this.#completed(item, {
        is: 'shown',
        text,
        settles: false,
        row: this.#ofItem(item.id, row),
      }),
    ];
  }

  #answer(): Buffer[] {
    const isLong = this.random.next() < 0.04;
    const text = this.#text('answer') + (isLong ? ' and so on'.repeat(LONG_TEXT / 10) : '');
    const id = `msg_${this.uuid(false)}`;
    const content = [{ type: 'output_text', text }];
    const copy = { type: 'message', role: 'assistant', content };
    if (this.#isBare) return [this.#bareItem({ ...copy, id }, 'assistant', text, id)];
    const fields = { kind: 'message', role: 'assistant', text } as const;
    if (this.#session.generation !== 'ordinal') {
      const event = { type: 'agent_message', message: text };
      return [
        this.#line('event_msg', event, {
          is: 'shown',
          text,
          settles: false,
          row: this.#counted(event, fields),
        }),
        this.#line('response_item', copy, { is: 'copy', text, row: this.#counted(copy, fields) }),
      ];
    }
    const row = this.#ofItem(id, fields);
    const item = { type: 'AgentMessage', id, content: [{ type: 'Text', text }] };
    return [
      this.#completed(item, { is: 'shown', text, settles: false, row }),
      this.#line(
        'response_item',
        { ...copy, id, ...this.#passthrough('unknown') },
        { is: 'copy', text, row },
      ),
    ];
  }

  #command(): Buffer[] {
    const text = `echo ${this.#text('command', '')}`;
    const callId = `call_${this.uuid(false).replaceAll('-', '')}`;
    const row = this.#ofItem(callId, { kind: 'cmd', text });
    const call = { type: 'function_call', call_id: callId };
    const output = { type: 'function_call_output', call_id: callId, output: text };
    if (this.#isBare) {
      const { ts: _, ...timeless } = row;
      const command = JSON.stringify({ command: ['bash', '-lc', text] });
      return [
        this.book.write(
          { ...call, name: 'shell', arguments: command },
          { is: 'row', row: timeless },
        ),
        this.book.write(output, { is: 'nothing' }),
      ];
    }
    const cmd = JSON.stringify({ cmd: text });
    const isOrdinal = this.#session.generation === 'ordinal';
    const more = isOrdinal ? this.#passthrough('unknown') : {};
    const opened = this.#line(
      'response_item',
      { ...call, name: 'exec_command', arguments: cmd, ...more },
      { is: 'row', row },
    );
    const closed = () => this.#line('response_item', { ...output, ...more }, { is: 'nothing' });
    if (!isOrdinal) return [opened, closed()];
    const item = {
      type: 'CommandExecution',
      id: callId,
      command: ['bash', '-lc', text],
      status: 'completed',
      exit_code: 0,
      aggregated_output: text,
    };
    return [opened, this.#completed(item, { is: 'row', row }), closed()];
  }

  #reason(): Buffer[] {
    const text = this.#text('reason', '');
    const fields = { kind: 'reason', role: 'assistant', text } as const;
    const id = `rs_${this.uuid(false)}`;
    const copy = { type: 'reasoning', summary: [{ type: 'summary_text', text }] };
    if (this.#isBare) return [this.#bareItem({ ...copy, id }, 'assistant', text, id, 'reason')];
    if (this.#session.generation !== 'ordinal') {
      const event = { type: 'agent_reasoning', text };
      return [
        this.#line('event_msg', event, { is: 'row', row: this.#counted(event, fields) }),
        this.#line('response_item', copy, { is: 'nothing' }),
      ];
    }
    const item = { type: 'Reasoning', id, summary_text: [text], raw_content: [] };
    const completed = this.#completed(item, { is: 'row', row: this.#ofItem(id, fields) });
    const payload = { ...copy, id, ...this.#passthrough('unknown') };
    return [completed, this.#line('response_item', payload, { is: 'nothing' })];
  }

  /** Lines that say nothing of the conversation. */
  #noise(): Buffer[] {
    if (this.#isBare) return [this.book.write({ record_type: 'state' }, { is: 'nothing' })];
    const turn = this.#session.generation === 'wrapped' ? {} : { turn_id: this.#turnId };
    const context = { cwd: '/srv/project', model: 'gpt-5.5', ...turn };
    return [this.#line('turn_context', context, { is: 'nothing' })];
  }

  get #isBare(): boolean {
    return this.#session.generation === 'bare';
  }

  #text(what: string, spice: string = this.random.pick(SPICE)): string {
    this.#texts += 1;
    return `${what} ${String(this.#texts).padStart(6, '0')}${spice}`;
  }

  #image(): string {
    const large = this.random.next() < 0.15 ? 'A'.repeat(600_000) : '';
    return `data:image/png;base64,${PIXEL.slice(0, -2)}${large}${PIXEL.slice(-2)}`;
  }

  #wrapped(type: string, payload: object): object {
    const timestamp = new Date(this.now).toISOString();
    if (this.#session.generation !== 'ordinal') return { timestamp, type, payload };
    const ordinal = this.#ordinal;
    this.#ordinal += 1;
    return { timestamp, ordinal, type, payload };
  }

  #line(type: string, payload: object, meaning: Parameters<LineBook['write']>[1]): Buffer {
    return this.book.write(this.#wrapped(type, payload), meaning);
  }

  #completed(item: object, meaning: Parameters<LineBook['write']>[1]): Buffer {
    const { threadId } = this.#session;
    const times = { started_at_ms: this.now, completed_at_ms: this.now };
    const ids = { thread_id: threadId, turn_id: this.#turnId };
    return this.#line('event_msg', { type: 'item_completed', ...ids, item, ...times }, meaning);
  }

  #passthrough(kind: string) {
    return {
      internal_chat_message_metadata_passthrough: {
        turn_id: this.#turnId,
        content_item_kinds: [kind],
      },
    };
  }

  #bareItem(
    item: { type: string; [field: string]: unknown },
    role: 'user' | 'assistant',
    text: string,
    id?: string,
    kind: 'message' | 'reason' = 'message',
  ): Buffer {
    const { ts: _, ...row } =
      id === undefined
        ? this.#counted(item, { kind, role, text })
        : this.#ofItem(id, { kind, role, text });
    return this.book.write(item, { is: 'row', row });
  }

  #counted(payload: { type: string }, fields: RowFields): ModelRow {
    const wellFormedText = (_: string, value: unknown) =>
      typeof value === 'string' ? value.toWellFormed() : value;
    const key = `${payload.type}/${sha256(JSON.stringify(payload, wellFormedText))}`;
    return { ...wellFormed(fields), key, isCounted: true, ts: this.now };
  }

  #ofItem(id: string, fields: RowFields): ModelRow {
    const key = this.#session.generation === 'ordinal' ? `${this.#turnId}/${id}` : id;
    return { ...wellFormed(fields), key, isCounted: false, ts: this.now };
  }

  #copy(line: Buffer, ordinal: number): Buffer {
    const timestamp = new Date(this.now).toISOString();
    const value: object = { ...JSON.parse(line.toString()), timestamp };
    return this.book.write('ordinal' in value ? { ...value, ordinal } : value, { is: 'nothing' });
  }
}

type RowFields = Pick<ModelRow, 'kind' | 'role' | 'text'>;

function wellFormed(fields: RowFields): RowFields {
  return fields.text === undefined ? fields : { ...fields, text: fields.text.toWellFormed() };
}

function newSession(threadId: string, generation: Generation, createdAt: number): ModelSession {
  return { threadId, generation, createdAt, firstOwnOrdinal: 0 };
}
