/** An embedded backend actor under a parent that remembers what it said. */
import { fileURLToPath } from 'node:url';
import { createActor, setup } from 'xstate';
import {
  embeddedBackend,
  type EmbeddedBackendOptions,
} from '../../src/actors/convex-backend/embedded.ts';
import type { BackendCommand, BackendEvent } from '../../src/machines/convex-link-status.ts';
import { childOf } from './supervision.ts';

export interface RunningBackend {
  send: (type: BackendCommand['type']) => void;
  /** The next event that was not taken yet. */
  next: () => Promise<BackendEvent>;
  /** Process ids of its lives so far. */
  pids: number[];
  log: string[];
  /** Drops the actor, as a supervisor does whose patience ended. */
  drop: () => void;
}

export function runBackend(
  manner: string[],
  options: Partial<EmbeddedBackendOptions> = {},
): RunningBackend {
  const events: BackendEvent[] = [];
  let waiting: ((event: BackendEvent) => void) | undefined;
  const log: string[] = [];
  const pids: number[] = [];
  const backend = embeddedBackend({
    entry: fileURLToPath(new URL('small-backend.ts', import.meta.url)),
    database: 'unused.sqlite',
    port: 0,
    interface: '127.0.0.1',
    functions: { folder: 'unused' },
    arguments: manner,
    log: (line) => {
      log.push(line);
      if (line.startsWith('pid ')) pids.push(Number(line.slice(4)));
    },
    ...options,
  });
  const actor = createActor(
    setup({ types: { events: {} as BackendEvent }, actors: { backend } }).createMachine({
      invoke: { src: 'backend', id: 'backend' },
      on: {
        '*': {
          actions: ({ event }) => {
            if (waiting) waiting(event);
            else events.push(event);
            waiting = undefined;
          },
        },
      },
    }),
  );
  actor.start();
  return {
    send: (type) => childOf(actor, 'backend').send({ type }),
    next: async () => {
      const event = events.shift();
      return event ?? (await new Promise((resolve) => (waiting = resolve)));
    },
    pids,
    log,
    drop: () => actor.stop(),
  };
}
