/**
 * A client of the real `codex app-server`: JSON-RPC 2.0 on stdio, one message a line,
 * without the member `jsonrpc`. Just enough to drive sessions and to read them back.
 */
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { z } from 'zod';
import { codexBin } from './scripted-model/codex-home.ts';

const message = z.object({
  id: z.number().optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).optional(),
});

interface Notification {
  method: string;
  params: unknown;
}

export interface AppServer {
  readonly pid: number;
  /** Rejects with the server's own words. */
  request(method: string, params: object): Promise<unknown>;
  /** Resolves with the first notification, past or coming, that fits. */
  notified(fits: (notification: Notification) => boolean): Promise<Notification>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Closes its input, and waits for its end. */
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startAppServer({
  codexHome,
  cwd,
}: {
  codexHome: string;
  cwd: string;
}): Promise<AppServer> {
  const child = execa(codexBin, ['app-server'], {
    cwd,
    reject: false,
    buffer: false,
    stderr: 'ignore',
    env: { CODEX_HOME: codexHome },
  });
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const past: Notification[] = [];
  const waiting = new Set<(notification: Notification) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, method, params, result, error } = message.parse(JSON.parse(line));
    if (method !== undefined) {
      // Requests of the server have an id too: nothing here asks for approval.
      past.push({ method, params });
      for (const listener of waiting) listener({ method, params });
      return;
    }
    const asked = pending.get(id ?? -1);
    pending.delete(id ?? -1);
    if (error) asked?.reject(new Error(error.message));
    else asked?.resolve(result);
  });
  void child.then(() => {
    for (const asked of pending.values()) asked.reject(new Error('app-server has ended'));
  });
  let lastId = 0;
  const send = (value: object) => void child.stdin.write(`${JSON.stringify(value)}\n`);
  const request: AppServer['request'] = (method, params) => {
    lastId += 1;
    const asked = Promise.withResolvers<unknown>();
    pending.set(lastId, asked);
    send({ id: lastId, method, params });
    return asked.promise;
  };
  const end = async (close: () => void) => {
    close();
    await child;
  };
  await request('initialize', {
    clientInfo: { name: 'test', title: 'Test', version: '1' },
    capabilities: { experimentalApi: true },
  });
  send({ method: 'initialized' });
  return {
    pid: child.pid ?? 0,
    request,
    notified: (fits) => {
      const known = past.find(fits);
      if (known) return Promise.resolve(known);
      return new Promise((resolve) => {
        const listener = (notification: Notification) => {
          if (!fits(notification)) return;
          waiting.delete(listener);
          resolve(notification);
        };
        waiting.add(listener);
      });
    },
    kill: (signal) => end(() => child.kill(signal)),
    [Symbol.asyncDispose]: () => end(() => child.stdin.end()),
  };
}
