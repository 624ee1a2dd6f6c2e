/** The link to Convex under a simulated clock, with a backend that does as it is told. */
import {
  createActor,
  fromCallback,
  fromPromise,
  SimulatedClock,
  type EventObject,
  type InspectionEvent,
} from 'xstate';
import type { ConvexLinkOwnEvent } from '../../src/machines/convex-link-status.ts';
import { convexLink } from '../../src/machines/convex-link.ts';
import { childSpec } from '../../src/machines/child-spec.ts';
import { SYSTEM, type SystemId } from '../../src/machines/protocol.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import { childOf, supervisorInput } from './supervision.ts';

export interface Linking {
  clock: SimulatedClock;
  /** What was sent to the backend actor, without the prefix `backend.`. */
  commands: string[];
  /** What each of the others was sent. */
  received: Record<'writer' | 'sessions' | 'runs' | 'gateway', EventObject[]>;
  send: (event: ConvexLinkOwnEvent) => void;
  state: () => string;
  /** Ends the probe, the deployment or the health check that runs now. */
  settle: (which: 'probe' | 'deploy' | 'health', error?: unknown) => Promise<void>;
  /** From `starting.spawning` to `online`. */
  comeOnline: () => Promise<void>;
  link: ReturnType<typeof childOf>;
}

export function linkUp(inspect?: (event: InspectionEvent) => void): Linking {
  const clock = new SimulatedClock();
  const commands: string[] = [];
  const running: Partial<Record<'probe' | 'deploy' | 'health', (error?: unknown) => void>> = {};
  const received: Linking['received'] = { writer: [], sessions: [], runs: [], gateway: [] };
  const work = (which: 'probe' | 'deploy') =>
    fromPromise<void, { url: string }>(async ({ input }) => {
      commands.push(`${which} ${input.url}`);
      await new Promise<void>((resolve, reject) => {
        running[which] = (error) => (error === undefined ? resolve() : reject(error));
      });
    });
  const link = convexLink.provide({
    actors: {
      backend: fromCallback(({ receive }) => {
        receive(({ type }) => commands.push(type.replace('backend.', '')));
      }),
      probe: work('probe'),
      deploy: work('deploy'),
      health: fromCallback(({ input }: { input: { url: string } }) => {
        commands.push(`health ${input.url}`);
        return () => commands.push('health ends');
      }),
    },
  });
  const recorder = (id: keyof Linking['received']) =>
    childSpec({
      id,
      systemId: id satisfies SystemId,
      logic: fromCallback(({ receive }) => receive((event) => received[id].push(event))),
      restart: 'permanent',
      shutdown: 'brutal_kill',
    });
  const root = createActor(supervisor, {
    clock,
    ...(inspect && { inspect }),
    input: {
      ...supervisorInput([], {}),
      children: [
        ...(['writer', 'sessions', 'runs', 'gateway'] as const).map(recorder),
        childSpec({
          id: 'convex',
          systemId: SYSTEM.convex,
          logic: link,
          input: {
            mode: 'embedded',
            url: 'http://127.0.0.1:7788',
            db: '/data/convex.sqlite',
            now: () => clock.now(),
            random: () => 0.5,
          },
          restart: 'transient',
          shutdown: 10_000,
        }),
      ],
    },
  });
  root.subscribe({ error: () => {} });
  root.start();
  const actor = childOf(root, 'convex');
  const linking: Linking = {
    clock,
    commands,
    received,
    link: actor,
    send: (event) => actor.send(event),
    state: () => actor.getSnapshot().context.state,
    settle: async (which, error) => {
      running[which]?.(error);
      // The promise and XState's own reaction to it take a turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    },
    comeOnline: async () => {
      linking.send({ type: 'backend.ready', url: 'http://127.0.0.1:5555' });
      await linking.settle('probe');
      await linking.settle('deploy');
    },
  };
  return linking;
}
