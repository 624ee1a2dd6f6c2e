/** What the actors do, as the log tells it: states in general at level debug, what a person must know above it. */
import type { MachineItem } from '../control/frames.ts';
import type { Log } from '../log.ts';
import type { SupervisorEmitted } from '../machines/supervisor-events.ts';

/** For `createRegistry({ onState })`. What an actor has told is not told again until it tells something else. */
export function journalStates(log: Log) {
  const told = new Map<string, string>();
  return (item: Readonly<MachineItem>, context: () => MachineItem['context']): void => {
    const { id: actor, machine, state, lastError } = item;
    const notable = NOTABLE[`${machine}:${state}`] ?? NOTABLE[`${machine}:${state.split('.')[0]}`];
    if (notable === undefined) {
      log.debug({ actor, machine, state, ...(lastError !== null && { lastError }) }, 'state');
      return;
    }
    const facts = context();
    const shown = Object.fromEntries(notable.fields.map((field) => [field, facts[field]]));
    const text = JSON.stringify([notable.message, shown]);
    const level = told.get(actor) === text ? 'debug' : notable.level;
    told.set(actor, text);
    log[level]({ actor, ...shown }, notable.message);
  };
}

/** For `root.on('*', …)`. */
export function journalSupervisor(log: Log) {
  return (event: SupervisorEmitted): void => {
    const { child } = event;
    switch (event.type) {
      case 'child.failed':
      case 'child.refused':
        log.error({ child, err: event.error }, 'a part failed');
        return;
      case 'child.restarted':
        log.warn(
          { child, attempt: event.attempt, delayMs: Math.round(event.delay) },
          'a part is started again',
        );
        return;
      case 'escalated':
        log.fatal({ child, err: event.error }, 'parts failed too often: the bridge ends');
        return;
      case 'child.started':
      case 'child.stopped':
        log.debug({ child }, event.type);
    }
  };
}

interface Notable {
  level: 'info' | 'warn';
  message: string;
  /** Fields of the machine's context that belong to the message. */
  fields: string[];
}

/** By machine and state. */
const NOTABLE: Record<string, Notable> = {
  'gateway:listening': {
    level: 'info',
    message: 'control socket is listening',
    fields: ['address'],
  },
  'gateway:failed': {
    level: 'warn',
    message: 'the control socket cannot listen; it is tried again',
    fields: ['lastError'],
  },
  'convexLink:online': { level: 'info', message: 'convex is online', fields: ['url'] },
  'convexLink:backingOff': {
    level: 'warn',
    message: 'convex is away; it is tried again',
    fields: ['lastError'],
  },
  'convexLink:failed': {
    level: 'warn',
    message: 'convex cannot be used until somebody sees to it; it is tried again',
    fields: ['lastError'],
  },
  'sessionsWatch:failed': {
    level: 'warn',
    message: 'the sessions cannot be watched; it is tried again',
    fields: ['lastError'],
  },
  'tail:backingOff': {
    level: 'warn',
    message: 'a session file cannot be taken over; it is tried again',
    fields: ['lastError'],
  },
  'backfill:importing': {
    level: 'info',
    message: 'old sessions are being imported',
    fields: ['job'],
  },
  'backfill:done': {
    level: 'info',
    message: 'old sessions are imported',
    fields: ['job', 'progress'],
  },
  'backfill:cancelled': {
    level: 'info',
    message: 'the import of old sessions was cancelled',
    fields: ['job', 'progress'],
  },
  'backfill:failed': {
    level: 'warn',
    message: 'old sessions cannot be imported',
    fields: ['job', 'lastError'],
  },
  'sessionsWatch:scanning': {
    level: 'info',
    message: 'looking at all session files',
    fields: ['root'],
  },
};
