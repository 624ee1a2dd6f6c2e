import { canonicalJson } from '../canonical-json.ts';
import { canonicalFunctionPath } from '../function-path.ts';
import { decodeTimestamp } from '../timestamp.ts';
import { SessionError } from './session-error.ts';

/** What clients send, as in `convex/src/browser/sync/protocol.ts` of convex 1.48. */
export type ClientMessage =
  | {
      type: 'Connect';
      sessionId: string;
      /** The client has been connected before, and sends again what has not been answered. */
      isReturning: boolean;
      maxObservedTimestamp: bigint | null;
      /** The client's clock, ms; null from clients that do not say it. */
      clientTs: number | null;
    }
  | { type: 'Authenticate'; baseVersion: number; token: Token }
  | {
      type: 'ModifyQuerySet';
      baseVersion: number;
      newVersion: number;
      modifications: QuerySetModification[];
    }
  | ({ type: 'Mutation' | 'Action'; requestId: number } & FunctionCall)
  | { type: 'Event' };

export type Token =
  | { type: 'None' }
  | { type: 'User'; value: string }
  | { type: 'Admin'; value: string; actingAs: unknown };

export type QuerySetModification =
  | ({ type: 'Add'; queryId: number; journal: string | null } & FunctionCall)
  | { type: 'Remove'; queryId: number };

export interface FunctionCall {
  path: string;
  /** JSON text of a one-element array; of a query canonical, so that equal ones are found out. */
  args: string;
  /** Empty for the application's own functions. */
  componentPath: string;
}

/** Throws a fatal `SessionError` that names what is wrong. */
export function parseClientMessage(text: string): ClientMessage {
  const long = text.length < LONG_CALL ? null : readLongCall(text);
  if (long !== null) return long;
  const message = asObject(parseJson(text), 'The message');
  switch (message['type']) {
    case 'Connect':
      return parseConnect(message);
    case 'Authenticate':
      return {
        type: 'Authenticate',
        baseVersion: count(message, 'baseVersion'),
        token: parseToken(message),
      };
    case 'ModifyQuerySet':
      return {
        type: 'ModifyQuerySet',
        baseVersion: count(message, 'baseVersion'),
        newVersion: count(message, 'newVersion'),
        modifications: list(message, 'modifications').map(parseModification),
      };
    case 'Mutation':
    case 'Action':
      return {
        type: message['type'],
        requestId: count(message, 'requestId'),
        ...parseCall(message, JSON.stringify),
      };
    case 'Event':
      return { type: 'Event' };
    default:
      throw invalid(`unknown type ${JSON.stringify(message['type'])}`);
  }
}

/** Characters. Here it begins to matter that arguments are read once less. */
const LONG_CALL = 16 * 1024;
/** As the official client writes one: its fields in this order, and the arguments last. */
const BEFORE_ARGUMENTS =
  /^\{"type":"(Mutation|Action)","requestId":(\d{1,9}),"udfPath":"([\w./:-]+)","args":(?=\[\{)/;

/**
 * Leaves the arguments as they are: the engine reads them anyway, and fails the call if they
 * are no JSON. null: it is written otherwise, and is read in full.
 */
function readLongCall(text: string): ClientMessage | null {
  const [before, type, requestId, path] = BEFORE_ARGUMENTS.exec(text) ?? [];
  if (before === undefined || path === undefined || !text.endsWith('}]}')) return null;
  return {
    type: type === 'Action' ? type : 'Mutation',
    requestId: Number(requestId),
    path: canonicalFunctionPath(path),
    args: text.slice(before.length, -1),
    componentPath: '',
  };
}

type JsonObject = Record<string, unknown>;

function parseConnect(message: JsonObject): ClientMessage {
  const { clientTs, connectionCount } = message;
  const observed = optionalString(message, 'maxObservedTimestamp');
  const maxObservedTimestamp = observed === null ? null : decodeTimestamp(observed);
  if (observed !== null && maxObservedTimestamp === null) {
    throw invalid('"maxObservedTimestamp" is not base64 of eight bytes');
  }
  return {
    type: 'Connect',
    sessionId: string(message, 'sessionId'),
    isReturning: typeof connectionCount === 'number' && connectionCount > 0,
    maxObservedTimestamp,
    clientTs: typeof clientTs === 'number' ? clientTs : null,
  };
}

function parseToken(message: JsonObject): Token {
  switch (message['tokenType']) {
    case 'None':
      return { type: 'None' };
    case 'User':
      return { type: 'User', value: string(message, 'value') };
    case 'Admin':
      return {
        type: 'Admin',
        value: string(message, 'value'),
        actingAs: message['impersonating'] ?? message['actingAs'] ?? undefined,
      };
    default:
      throw invalid(`unknown tokenType ${JSON.stringify(message['tokenType'])}`);
  }
}

function parseModification(value: unknown): QuerySetModification {
  const modification = asObject(value, 'A modification');
  const queryId = count(modification, 'queryId');
  switch (modification['type']) {
    case 'Add':
      return {
        type: 'Add',
        queryId,
        journal: optionalString(modification, 'journal'),
        ...parseCall(modification, (args) => canonicalJson(args)),
      };
    case 'Remove':
      return { type: 'Remove', queryId };
    default:
      throw invalid(`unknown modification ${JSON.stringify(modification['type'])}`);
  }
}

function parseCall(message: JsonObject, toText: (args: JsonObject[]) => string): FunctionCall {
  const args = list(message, 'args');
  if (args.length > 1) throw invalid('"args" has more than one element');
  return {
    path: canonicalFunctionPath(string(message, 'udfPath')),
    args: toText([asObject(args[0] ?? {}, 'The element of "args"')]),
    componentPath: optionalString(message, 'componentPath') ?? '',
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
}

function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} is not an object`);
  }
  return value as JsonObject; // what JSON.parse makes of `{…}`
}

function string(message: JsonObject, name: string): string {
  const value = message[name];
  if (typeof value !== 'string') throw invalid(`"${name}" is not a string`);
  return value;
}

function optionalString(message: JsonObject, name: string): string | null {
  return message[name] === undefined || message[name] === null ? null : string(message, name);
}

function count(message: JsonObject, name: string): number {
  const value = message[name];
  // The wire type is an unsigned 32-bit integer.
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xff_ff_ff_ff) {
    throw invalid(`"${name}" is not an unsigned integer`);
  }
  return value;
}

function list(message: JsonObject, name: string): unknown[] {
  const value = message[name];
  if (!Array.isArray(value)) throw invalid(`"${name}" is not an array`);
  return value;
}

function invalid(detail: string): SessionError {
  return SessionError.fatal(
    'WSMessageInvalidJson',
    `Received an invalid message on the WebSocket: ${detail}`,
  );
}
