/** Makes of a recorded value what a machine can work with: the other end of recorded-value.ts. */
import { createActor, type AnyActorRef } from 'xstate';
import { z } from 'zod';
import { BridgeError, catalogue, type ErrorCode } from '../errors.ts';
import { placeholder } from './placeholder.ts';

/** What the functions that a machine was given say during a replay. */
export interface Circumstances {
  /** Milliseconds since the epoch, of the event that is replayed. */
  now: () => number;
  /** What was drawn at random when this was recorded. */
  draw: () => string;
}

export interface Reviver {
  revive(value: unknown): unknown;
  /** Something was cut off when it was recorded: the machine may decide otherwise from here on. */
  readonly metCut: boolean;
}

const tagged = z.discriminatedUnion('$', [
  z.object({ $: z.literal('text'), hash: z.string(), length: z.int() }),
  z.object({ $: z.literal('number'), value: z.string() }),
  z.object({ $: z.literal('bigint'), value: z.string() }),
  z.object({ $: z.literal('function'), name: z.string() }),
  z.object({ $: z.literal('undefined') }),
  z.object({ $: z.literal('cut') }),
  z.object({
    $: z.literal('error'),
    name: z.string(),
    message: z.json(),
    code: z.string().optional(),
  }),
  z.object({ $: z.literal('date'), ms: z.number() }),
  z.object({ $: z.literal('bytes'), length: z.int().max(64 * 1024 * 1024) }),
  z.object({ $: z.literal('map'), entries: z.array(z.tuple([z.json(), z.json()])) }),
  z.object({ $: z.literal('set'), entries: z.array(z.json()) }),
  z.object({ $: z.literal('object'), entries: z.array(z.tuple([z.string(), z.json()])) }),
  z.object({ $: z.literal('actor'), id: z.string(), hasStates: z.boolean(), status: z.string() }),
  z.object({ $: z.literal('logic'), hasStates: z.boolean() }),
]);
type Tagged = z.infer<typeof tagged>;

/** One for each machine: an actor that it names twice is the same one. */
export function createReviver(circumstances: Circumstances): Reviver {
  const actors = new Map<string, AnyActorRef>();
  let metCut = false;

  function revive(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(revive);
    if ('$' in value) {
      const { data } = tagged.safeParse(value);
      if (data) return untag(data);
    }
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, revive(field)]));
  }

  function untag(value: Tagged): unknown {
    switch (value.$) {
      case 'text':
        return `‹${value.hash}›`.padEnd(Math.min(value.length, LONGEST_TEXT), '·');
      case 'number':
        return Number(value.value);
      case 'bigint':
        return BigInt(value.value);
      case 'function':
        return functionNamed(value.name, circumstances);
      case 'undefined':
        return undefined;
      case 'cut':
        metCut = true;
        return undefined;
      case 'error':
        return reviveError(value, String(revive(value.message)));
      case 'date':
        return new Date(value.ms);
      case 'bytes':
        return new Uint8Array(value.length);
      case 'map':
        return new Map(value.entries.map(([key, field]) => [revive(key), revive(field)]));
      case 'set':
        return new Set(value.entries.map(revive));
      case 'object':
        return Object.fromEntries(value.entries.map(([key, field]) => [key, revive(field)]));
      case 'actor': {
        const known = actors.get(value.id);
        if (known && known.getSnapshot().status === value.status) return known;
        const actor = createActor(placeholder(value.hasStates), { id: value.id });
        actor.start();
        if (value.status !== 'active') actor.send({ type: 'replay.end' });
        actors.set(value.id, actor);
        return actor;
      }
      case 'logic':
        return placeholder(value.hasStates);
    }
  }

  return {
    revive,
    get metCut() {
      return metCut;
    },
  };
}

/** A stand-in of a text stands for its length no further than this. */
const LONGEST_TEXT = 1_000_000;

function functionNamed(name: string, { now, draw }: Circumstances): unknown {
  switch (name) {
    case 'now':
      return now;
    case 'createId':
      return draw;
    case 'random':
      // It spreads delays, and those are not waited for: their ends are in the recording.
      return () => 0.5;
    default:
      return () => undefined;
  }
}

function reviveError({ name, code }: Extract<Tagged, { $: 'error' }>, message: string): Error {
  if (code !== undefined && isErrorCode(code)) return new BridgeError(code, message);
  return Object.assign(new Error(message), { name, ...(code !== undefined && { code }) });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(catalogue, code);
}
