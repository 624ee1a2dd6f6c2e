/**
 * How a recording holds what went into a machine: whole in shape, so that the machine decides
 * the same again, and without what was said, so that it can be handed to somebody.
 *
 * Kept are numbers, booleans, names, ids and paths. Every other text is replaced by a stand-in
 * of its length that is the same for the same text within one recording; fields that are named
 * like a secret always are. What JSON does not know is an object with the one key `$`.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { z } from 'zod';

type Json = z.infer<ReturnType<typeof z.json>>;

export interface ValueRecorder {
  encode: (value: unknown) => Json;
}

export interface RecordingRules {
  /** Fields whose value is never kept. */
  secret: RegExp;
  /** Whether a text holds a secret, by its looks or because it is one of ours. */
  holdsSecret: (text: string) => boolean;
  /** Is written as `~`. */
  homeDirectory: string;
}

/** Values in one event or context; what is beyond is cut, and said to be. */
const MAX_VALUES = 20_000;
/** Deeper than any event of ours; a client's payload may be deeper. */
const MAX_DEPTH = 24;
/** Ids, paths, names, versions: no spaces, so no sentences. */
const IDENTIFIER = /^[\w.:@/\\+~#=%-]{0,300}$/;
/** Fields that hold, at any depth, what somebody said or ran, however short. */
const SPOKEN =
  /^(?:text|command|cmd|query|arguments|args|line|lines|prompt|content|title|message|reason|instructions|output|stderr|stdout|payload|data|description|body)$/i;

/** The salt is never written: a stand-in cannot be tried out against guesses. */
export function createValueRecorder(rules: RecordingRules): ValueRecorder {
  const salt = randomBytes(16);
  const standIn = (text: string): Json => ({
    $: 'text',
    hash: createHmac('sha256', salt).update(text).digest('hex').slice(0, 12),
    length: text.length,
  });

  function encode(value: unknown): Json {
    const budget = { left: MAX_VALUES };
    return encodeValue(value, '', 0, budget);
  }

  function encodeText(text: string, key: string): Json {
    const isKept = !rules.secret.test(key) && !SPOKEN.test(key) && IDENTIFIER.test(text);
    if (!isKept || rules.holdsSecret(text)) return standIn(text);
    return rules.homeDirectory !== '' && text.startsWith(rules.homeDirectory)
      ? `~${text.slice(rules.homeDirectory.length)}`
      : text;
  }

  function encodeValue(value: unknown, key: string, depth: number, budget: { left: number }): Json {
    switch (typeof value) {
      case 'string':
        return encodeText(value, key);
      case 'number':
        return Number.isFinite(value) ? value : { $: 'number', value: String(value) };
      case 'boolean':
        return value;
      case 'bigint':
        return { $: 'bigint', value: String(value) };
      case 'function':
        // What it is for: its own name says less.
        return { $: 'function', name: key === '' ? value.name : key };
      case 'symbol':
      case 'undefined':
        return { $: 'undefined' };
      case 'object':
        budget.left -= 1;
        if (value === null) return null;
        if (budget.left < 0 || depth > MAX_DEPTH) return { $: 'cut' };
        return encodeObject(value, key, depth, budget);
    }
  }

  function encodeObject(value: object, key: string, depth: number, budget: { left: number }): Json {
    // What is below a field that must not be told must not be told either.
    const isHidden = SPOKEN.test(key) || rules.secret.test(key);
    const inner = (part: unknown, name = key) =>
      encodeValue(part, isHidden ? key : name, depth + 1, budget);
    if (value instanceof Error) return encodeError(value, inner);
    if (value instanceof Date) return { $: 'date', ms: value.getTime() };
    if (ArrayBuffer.isView(value)) return { $: 'bytes', length: value.byteLength };
    if (value instanceof Map) {
      return { $: 'map', entries: [...value].map(([name, part]) => [inner(name), inner(part)]) };
    }
    if (value instanceof Set) return { $: 'set', entries: [...value].map((part) => inner(part)) };
    if (isActorRef(value)) return encodeActor(value);
    if (isLogic(value)) return { $: 'logic', hasStates: 'root' in value };
    if (Array.isArray(value)) return value.map((part) => inner(part));
    const fields = Object.entries(value).filter(([, part]) => part !== undefined);
    const encoded = fields.map(([name, part]): [string, Json] => [name, inner(part, name)]);
    return '$' in value
      ? { $: 'object', entries: encoded.map(([name, part]) => [name, part]) }
      : Object.fromEntries(encoded);
  }

  return { encode };
}

/** Codes and whether it is worth trying again are what machines ask of an error. */
function encodeError(error: Error, inner: (part: unknown, name?: string) => Json): Json {
  const code = 'code' in error ? error.code : undefined;
  return {
    $: 'error',
    name: error.name,
    message: inner(error.message, 'message'),
    ...(typeof code === 'string' && { code }),
  };
}

function encodeActor(ref: { id: string; getSnapshot: () => unknown }): Json {
  const snapshot = Object(ref.getSnapshot());
  return {
    $: 'actor',
    id: ref.id,
    hasStates: 'machine' in snapshot && 'value' in snapshot,
    status: String(snapshot.status),
  };
}

function isActorRef(value: object): value is { id: string; getSnapshot: () => unknown } {
  return 'sessionId' in value && 'send' in value && 'getSnapshot' in value;
}

function isLogic(value: object): boolean {
  return 'transition' in value && 'getInitialSnapshot' in value;
}
