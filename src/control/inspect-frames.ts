/**
 * What `machines.watch` streams: the inspection events of XState as Stately's inspector names
 * them (`@xstate.actor`, `@xstate.event`, `@xstate.snapshot`; `sessionId`, `sourceId`,
 * `parentId`, `rootId` as in `@statelyai/inspect`), with what a viewer of a supervised system
 * needs besides. A recording holds the same events, one a line.
 */
import { z } from 'zod';

const json = z.json();
const values = z.record(z.string(), json);

/** A state value as XState has it: a name, or the active children of each region. */
const stateValue = json;

const actorStatus = z.enum(['active', 'done', 'error', 'stopped']);

/** Why an actor is in its state: the event it got last, and who sent it. */
export const machineCause = z.object({
  type: z.string(),
  /** The sender's id; of a nameless helper what it does; null from outside of all actors. */
  source: z.string().nullable(),
  /** Milliseconds since the epoch. */
  at: z.number(),
});
export type MachineCause = z.infer<typeof machineCause>;

/** One change of an actor's state. */
export const machineTransition = z.object({
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** Null where the actor, or its next life, begins. */
  from: z.string().nullable(),
  to: z.string(),
  status: actorStatus,
  event: z.string().nullable(),
  source: z.string().nullable(),
  /** How often the actor had been started again by then. */
  restarts: z.int(),
});
export type MachineTransition = z.infer<typeof machineTransition>;

export const machineHistoryFrame = z.object({
  type: z.literal('bridge.machine_history'),
  items: z.array(
    z.object({
      id: z.string(),
      path: z.string(),
      /** The oldest first; the latest 50 over all lives of the actor. */
      transitions: z.array(machineTransition),
    }),
  ),
});

/** What a recording keeps of an actor that was alive already: enough to go on from there. */
const startingPoint = z.object({ value: stateValue, context: json, children: json });

const inspected = {
  sessionId: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
};

const actorEvent = z.object({
  type: z.literal('@xstate.actor'),
  ...inspected,
  rootId: z.string(),
  /** The nearest ancestor that has a name. */
  parentId: z.string().nullable(),
  /** The actor's id: unique among its siblings. */
  name: z.string(),
  /** Ids from the root down: what stays the same when an actor is started again. */
  path: z.string(),
  /** The machine's id, or the name of the logic of an actor without states. */
  machine: z.string(),
  since: z.number(),
  restarts: z.int(),
  lastError: z.string().nullable(),
  snapshot: z.object({ status: actorStatus, value: stateValue.nullable(), context: values }),
  /** In XState's own configuration format; null of an actor without states, absent when it was sent before. */
  definition: values.nullable().optional(),
  /** Only with `detail: "replay"`, of a machine that was alive already. */
  start: startingPoint.optional(),
});

const eventEvent = z.object({
  type: z.literal('@xstate.event'),
  ...inspected,
  /** The sender's session, or that of the nearest ancestor that has a name. */
  sourceId: z.string().nullable(),
  source: z.string().nullable(),
  /** A bounded, redacted summary. */
  event: z.looseObject({ type: z.string() }),
});

const snapshotEvent = z.object({
  type: z.literal('@xstate.snapshot'),
  ...inspected,
  event: z.looseObject({ type: z.string() }),
  snapshot: z.object({
    status: actorStatus,
    value: stateValue.nullable(),
    /** Only with the last snapshot of an actor in a frame. */
    context: values.optional(),
    error: z.string().optional(),
  }),
  /** Only with `detail: "replay"`: the whole event as recordings encode it, and what was drawn at random. */
  replay: z.object({ event: json, drawn: z.array(z.string()) }).optional(),
});

export const inspectEvent = z.discriminatedUnion('type', [actorEvent, eventEvent, snapshotEvent]);
export type InspectEvent = z.infer<typeof inspectEvent>;
export type InspectActor = z.infer<typeof actorEvent>;

/** Sent to the client that watches, and to nobody else. */
export const inspectFrame = z.object({
  type: z.literal('bridge.inspect'),
  /** So many events were left out before these, because the client did not keep up; all actors are told anew then. */
  dropped: z.int(),
  events: z.array(inspectEvent),
});
export type InspectFrame = z.infer<typeof inspectFrame>;

/** The answer to `machines.watch` and `machines.unwatch`. */
export const watchingFrame = z.object({
  type: z.literal('bridge.machines_watch'),
  watching: z.boolean(),
});
