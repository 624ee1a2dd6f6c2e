/**
 * A model on loopback that says what a script tells it to: the real Codex CLI runs
 * against it without an account and without any other network.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { gates } from './gates.ts';
import { parseModelRequest, type ModelRequest } from './model-request.ts';
import { streamReply } from './stream-reply.ts';
import type { Reply, Script } from './script.ts';

export interface ScriptedModel {
  /** Base URL of the API, for `makeCodexHome`. */
  readonly url: string;
  /** Every request so far that the script had a reply to. */
  readonly requests: readonly ModelRequest[];
  /** What Codex asked that the script did not foresee. A test expects none. */
  readonly surprises: readonly string[];
  /** Resolves when a reply has reached `hold(gate)`, past or coming. */
  reached(gate: string): Promise<void>;
  /** Lets replies through the gate, those waiting and those to come. */
  release(gate: string): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startScriptedModel(script: Script, port = 0): Promise<ScriptedModel> {
  const requests: ModelRequest[] = [];
  const surprises: string[] = [];
  const asked = new Map<string, number>();
  const { reached, release, waitAt } = gates();

  function replyTo(request: ModelRequest): Reply {
    const replies = repliesFor(script, request.prompt);
    const round = asked.get(request.turnId) ?? 0;
    asked.set(request.turnId, round + 1);
    const reply = replies?.[round];
    if (reply !== undefined) return reply;
    const problem =
      replies === undefined
        ? `no replies to "${request.prompt}"`
        : `no reply ${round + 1} to "${request.prompt}"`;
    surprises.push(problem);
    return [{ do: 'refuse', status: 400, message: `The script has ${problem}.` }];
  }

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const body = await readAll(incoming);
    if (incoming.method !== 'POST' || !incoming.url?.endsWith('/responses')) {
      response.writeHead(404).end('{}');
      return;
    }
    const request = parseModelRequest(body, incoming.headers);
    requests.push(request);
    await streamReply(
      response,
      replyTo(request),
      request.style,
      (gate) => waitAt(gate, gone.signal),
      gone.signal,
    );
  }

  const server = createServer((incoming, response) => {
    answer(incoming, response).catch((error: unknown) => {
      // An interrupted Codex leaves in the middle of a reply.
      if (response.destroyed || response.writableEnded) return;
      surprises.push(String(error));
      if (!response.headersSent) response.writeHead(400);
      response.end(JSON.stringify({ error: { message: String(error), type: 'scripted' } }));
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is never a pipe name.
  const address = server.address() as AddressInfo;
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    requests,
    surprises,
    reached,
    release,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function repliesFor(script: Script, prompt: string): readonly Reply[] | undefined {
  const fitting = Object.keys(script)
    .filter((text) => prompt.includes(text))
    .sort((a, b) => b.length - a.length);
  return script[fitting[0] ?? '*'];
}
