/**
 * How many messages of a user and of the assistant a session file holds, counted from
 * what Codex displayed and nothing else: written apart from the readers, to check them.
 */
export interface MessageCounts {
  user: number;
  assistant: number;
}

type Json = Record<string, unknown>;

/** `lines` of one file, of any generation. */
export function countMessages(lines: readonly string[]): MessageCounts {
  const records = lines.flatMap(parsed);
  const own = ownRecords(records);
  return isBare(records) ? countBare(own) : countDisplayed(own);
}

/** Codex displays each message by one event, and in newer files by one item of this thread. */
function countDisplayed(records: readonly Json[]): MessageCounts {
  const said: (keyof MessageCounts)[] = [];
  const [meta] = records.filter(({ type }) => type === 'session_meta').map(payloadOf);
  for (const record of records) {
    if (record['type'] !== 'event_msg') continue;
    const payload = payloadOf(record);
    const item = objectOf(payload['item']);
    if (payload['type'] === 'user_message') said.push('user');
    if (payload['type'] === 'agent_message') said.push('assistant');
    if (payload['type'] === 'thread_rolled_back') takeBack(said, Number(payload['num_turns']));
    if (payload['type'] !== 'item_completed' || payload['thread_id'] !== meta?.['id']) continue;
    if (item['type'] === 'UserMessage') said.push('user');
    if (item['type'] === 'AgentMessage' || item['type'] === 'Plan') said.push('assistant');
  }
  if (said.length > 0) return counted(said);
  // Cut down or written by another program: only what the model was given is left.
  return { user: 0, assistant: records.filter(isGivenAnswer).length };
}

/** All from the prompt on that opens the first of the last `turns` turns. */
function takeBack(said: string[], turns: number): void {
  for (let left = turns; left > 0 && said.includes('user'); left -= 1) {
    said.length = said.lastIndexOf('user');
  }
}

function counted(said: readonly (keyof MessageCounts)[]): MessageCounts {
  const user = said.filter((role) => role === 'user').length;
  return { user, assistant: said.length - user };
}

function isGivenAnswer(record: Json): boolean {
  const { type, role, content } = payloadOf(record);
  const isAnswer = record['type'] === 'response_item' && type === 'message' && role === 'assistant';
  return isAnswer && JSON.stringify(content).includes('"text"');
}

/** The oldest files have only what the model was given: injected texts open with a tag. */
function countBare(records: readonly Json[]): MessageCounts {
  const messages = records.filter(({ type }) => type === 'message');
  const typed = messages.filter((message) => {
    const [first] = Array.isArray(message['content']) ? message['content'].map(objectOf) : [];
    return message['role'] === 'user' && !/^\s*<\w+/.test(String(first?.['text']));
  });
  return {
    user: typed.length,
    assistant: messages.filter(({ role }) => role === 'assistant').length,
  };
}

/** Without what a sub-agent or a fork has copied from its parent. */
function ownRecords(records: readonly Json[]): Json[] {
  const [first, second] = records;
  if (!first) return [];
  const meta = payloadOf(first);
  const start = meta['subagent_history_start_ordinal'];
  if (typeof start === 'number') {
    return records.filter((record, at) => at === 0 || Number(record['ordinal']) >= start);
  }
  const isFork =
    second?.['type'] === 'session_meta' &&
    payloadOf(second)['id'] !== meta['id'] &&
    first['ordinal'] === undefined;
  if (!isFork) return [...records];
  const ownTurn = records.findIndex(
    (record) =>
      payloadOf(record)['type'] === 'task_started' &&
      String(payloadOf(record)['turn_id']) > String(meta['id']),
  );
  return [first, ...(ownTurn === -1 ? [] : records.slice(ownTurn))];
}

function isBare(records: readonly Json[]): boolean {
  return records[0]?.['payload'] === undefined;
}

function payloadOf(record: Json): Json {
  return objectOf(record['payload']);
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function parsed(line: string): Json[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? [{ ...value }] : [];
  } catch {
    return [];
  }
}
