/** One reply, as the server-sent events of the Responses API. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId, outputItem, type OutputItem, type ToolStyle } from './output-items.ts';
import { callsTool, type Reply, type Step } from './script.ts';

/** What every request is said to have used. */
const USAGE = {
  input_tokens: 10,
  input_tokens_details: { cached_tokens: 2 },
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 1 },
  total_tokens: 15,
};

/** Rejects when `signal` says that the client went away. */
export async function streamReply(
  response: ServerResponse,
  reply: Reply,
  style: ToolStyle,
  waitAt: (gate: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const [first] = reply;
  if (first?.do === 'refuse') {
    response.writeHead(first.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: first.message, type: 'scripted' } }));
    return;
  }
  const send = (type: string, fields: Record<string, unknown>) =>
    void response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  const id = newId('resp');
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  send('response.created', { response: { id } });
  for (const [index, step] of reply.entries()) {
    if (step.do === 'hold') await waitAt(step.gate);
    else if (step.do === 'pause') await sleep(step.ms, undefined, { signal });
    else if (step.do === 'hang up') {
      // Flushed first, so that Codex has seen what was said before.
      await new Promise((flushed) => response.write(': cut here\n\n', flushed));
      response.destroy();
      return;
    } else if (step.do === 'fail') {
      const error = { code: step.code, message: step.message };
      send('response.failed', { response: { id, status: 'failed', error } });
      response.end();
      return;
    } else {
      const item = outputItem(step, style, !callsTool(reply.slice(index)));
      if (item !== null) await sendItem(send, step, item, index, waitAt);
    }
  }
  send('response.completed', { response: { id, status: 'completed', usage: USAGE } });
  response.end();
}

type Send = (type: string, fields: Record<string, unknown>) => void;

async function sendItem(
  send: Send,
  step: Step,
  item: OutputItem,
  index: number,
  waitAt: (gate: string) => Promise<void>,
): Promise<void> {
  const at = { item_id: item.id, output_index: index };
  if (step.do === 'say') {
    const begun = { ...item, status: 'in_progress', content: [] };
    send('response.output_item.added', { output_index: index, item: begun });
    for (const [piece, delta] of cut(step.text, step.pieces).entries()) {
      if (piece === 1 && step.gate !== undefined) await waitAt(step.gate);
      send('response.output_text.delta', { ...at, content_index: 0, delta });
    }
  } else if (step.do === 'reason') {
    send('response.output_item.added', { output_index: index, item: { ...item, summary: [] } });
    send('response.reasoning_summary_text.delta', { ...at, summary_index: 0, delta: step.text });
  }
  send('response.output_item.done', { output_index: index, item });
}

function cut(text: string, pieces: number): string[] {
  const characters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  const size = Math.max(1, Math.ceil(characters.length / pieces));
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  );
}
