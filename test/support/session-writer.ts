/** Writes session files line by line, as Codex 0.169 does: one write() a line, no fsync. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { randomBytes, randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';

export interface SessionWriter {
  readonly threadId: string;
  readonly path: string;
  /** Lines written so far. */
  readonly lines: number;
  /** A prompt and what the model sees of it: two lines. */
  user(text: string): void;
  /** An answer and its twin among the response items: two lines. */
  assistant(text: string): void;
  /** A command with its output: three lines. */
  command(command: string, output: string): void;
  startTurn(): void;
  endTurn(): void;
  /** The text of the next lines instead of writing them, for those who tear or hold them. */
  draft(write: (session: SessionWriter) => void): string;
}

export function createSession(
  codexHome: string,
  { at = new Date(), cwd = '/srv/project' } = {},
): SessionWriter {
  const threadId = uuidv7(at);
  const [day, time] = at.toISOString().split('T') as [string, string];
  const stamp = `${day}T${time.slice(0, 8).replaceAll(':', '-')}`;
  const path = join(codexHome, 'sessions', ...day.split('-'), `rollout-${stamp}-${threadId}.jsonl`);
  mkdirSync(dirname(path), { recursive: true });
  let turnId = uuidv7(at);
  let ordinal = 0;
  let held: string[] | undefined;

  const write = (type: string, payload: object) => {
    const line = `${JSON.stringify({ timestamp: new Date().toISOString(), ordinal, type, payload })}\n`;
    ordinal += 1;
    if (held === undefined) appendFileSync(path, line);
    else held.push(line);
  };
  const completed = (item: object) => {
    const now = Date.now();
    write('event_msg', {
      type: 'item_completed',
      thread_id: threadId,
      turn_id: turnId,
      item,
      started_at_ms: now,
      completed_at_ms: now,
    });
  };
  const passthrough = (kind: string) => ({
    internal_chat_message_metadata_passthrough: { turn_id: turnId, content_item_kinds: [kind] },
  });

  const session: SessionWriter = {
    threadId,
    path,
    get lines() {
      return ordinal;
    },
    startTurn() {
      turnId = uuidv7(new Date());
      write('event_msg', {
        type: 'task_started',
        turn_id: turnId,
        started_at: Math.floor(Date.now() / 1000),
      });
    },
    endTurn() {
      write('event_msg', {
        type: 'task_complete',
        turn_id: turnId,
        last_agent_message: null,
        duration_ms: 10,
      });
    },
    user(text) {
      const content = [{ type: 'input_text', text }];
      write('response_item', {
        type: 'message',
        id: `msg_${randomUUID()}`,
        role: 'user',
        content,
        ...passthrough('user.text'),
      });
      completed({
        type: 'UserMessage',
        id: uuidv7(new Date()),
        content: [{ type: 'text', text, text_elements: [] }],
      });
    },
    assistant(text) {
      const id = `msg_${randomBytes(20).toString('hex')}`;
      completed({ type: 'AgentMessage', id, content: [{ type: 'Text', text }] });
      const content = [{ type: 'output_text', text, annotations: [] }];
      write('response_item', {
        type: 'message',
        id,
        role: 'assistant',
        content,
        status: 'completed',
        ...passthrough('unknown'),
      });
    },
    command(command, output) {
      const callId = `call_${randomBytes(10).toString('hex')}`;
      write('response_item', {
        type: 'function_call',
        id: `fc_${randomBytes(20).toString('hex')}`,
        name: 'exec_command',
        arguments: JSON.stringify({ cmd: command }),
        call_id: callId,
        ...passthrough('unknown'),
      });
      completed({
        type: 'CommandExecution',
        id: callId,
        command: ['bash', '-lc', command],
        cwd: `file://${cwd}`,
        status: 'completed',
        exit_code: 0,
        aggregated_output: output,
        duration: { secs: 0, nanos: 1_000_000 },
        source: 'agent',
      });
      write('response_item', {
        type: 'function_call_output',
        id: `fco_${randomUUID()}`,
        call_id: callId,
        output,
        ...passthrough('unknown'),
      });
    },
    draft(compose) {
      held = [];
      compose(session);
      const text = held.join('');
      held = undefined;
      return text;
    },
  };

  write('session_meta', {
    session_id: threadId,
    id: threadId,
    timestamp: at.toISOString(),
    cwd,
    originator: 'codex_cli_rs',
    cli_version: '0.169.0',
    source: 'cli',
    thread_source: 'user',
    model_provider: 'openai',
    history_mode: 'paginated',
  });
  session.startTurn();
  return session;
}

/** As Codex makes them: time-ordered. */
function uuidv7(at: Date): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(at.getTime(), 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
