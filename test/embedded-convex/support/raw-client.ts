/** The sync protocol by hand: sends what it is given, keeps what comes. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

export type ServerMessage = { type: string; [field: string]: unknown };

export interface RawClient extends Disposable {
  readonly messages: ServerMessage[];
  /** Objects as JSON. */
  send(...messages: Array<object | string>): void;
  /** The next message that was not taken yet, of this type when one is named. */
  next(type?: string): Promise<ServerMessage>;
  /** What the next transition that has something to say says. */
  nextChanges(): Promise<object[]>;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;
}

export async function rawClient(
  url: string,
  {
    version = '1.48.0',
    ...options
  }: { version?: string; headers?: Record<string, string>; autoPong?: boolean } = {},
): Promise<RawClient> {
  const path = version === '' ? '/api/sync' : `/api/${version}/sync`;
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, options);
  const messages: ServerMessage[] = [];
  const untaken: ServerMessage[] = [];
  let wake = Promise.withResolvers<void>();
  socket.on('message', (data: Buffer) => {
    const message: ServerMessage = JSON.parse(data.toString());
    messages.push(message);
    untaken.push(message);
    wake.resolve();
    wake = Promise.withResolvers();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await once(socket, 'open');
  const client: RawClient = {
    messages,
    socket,
    closed,
    send: (...sent) => {
      for (const message of sent) {
        socket.send(typeof message === 'string' ? message : JSON.stringify(message));
      }
    },
    async next(type) {
      for (;;) {
        const at = untaken.findIndex((message) => type === undefined || message.type === type);
        const [message] = at === -1 ? [] : untaken.splice(at, 1);
        if (message !== undefined) return message;
        await wake.promise;
      }
    },
    async nextChanges() {
      for (;;) {
        const { modifications } = await client.next('Transition');
        if (Array.isArray(modifications) && modifications.length > 0) return modifications;
      }
    },
    [Symbol.dispose]: () => socket.terminate(),
  };
  return client;
}

export function connect(more: object = {}): object {
  return {
    type: 'Connect',
    sessionId: '00000000-0000-4000-8000-000000000001',
    connectionCount: 0,
    lastCloseReason: 'InitialConnect',
    clientTs: Date.now(),
    ...more,
  };
}

export function modify(baseVersion: number, ...modifications: object[]): object {
  return { type: 'ModifyQuerySet', baseVersion, newVersion: baseVersion + 1, modifications };
}

export function add(queryId: number, name: string, args: object, more: object = {}): object {
  return { type: 'Add', queryId, udfPath: `rooms:${name}`, args: [args], ...more };
}

export function mutation(requestId: number, name: string, args: object) {
  return { type: 'Mutation', requestId, udfPath: `rooms:${name}`, args: [args] };
}
