/** The log: readable on a terminal, JSON lines otherwise, never with a secret in it. */
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { z } from 'zod';
import { BridgeError } from './errors.ts';

export type Log = Logger;

export interface LogOptions {
  level: string;
  /** Exact strings that must not reach the output, wherever they stand. */
  secrets: readonly string[];
  /** Gets every line too. */
  file?: { write(line: string): void };
  /** Standard error by default: standard output belongs to commands' results. */
  destination?: NodeJS.WritableStream & { isTTY?: boolean };
}

export function createLog({ level, secrets, file, destination = process.stderr }: LogOptions): Log {
  const stream = destination.isTTY ? pretty({ destination, ...prettyOptions(true) }) : destination;
  const both = {
    write(line: string) {
      stream.write(line);
      file?.write(line);
    },
  };
  return pino(
    {
      level,
      base: { pid: process.pid },
      serializers: { err: serializeError },
      hooks: { streamWrite: (line) => withoutSecrets(line, secrets) },
    },
    both,
  );
}

/** A line of the log as a terminal shows it, with its day and its newline. */
export function prettifier(colorize: boolean): (line: string) => string {
  const prettify = pretty.prettyFactory({
    ...prettyOptions(colorize),
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l',
  });
  return (line) => prettify(line) ?? '';
}

function prettyOptions(colorize: boolean): pretty.PrettyOptions {
  return {
    colorize: colorize && !('NO_COLOR' in process.env),
    translateTime: 'SYS:HH:MM:ss.l',
    // One line a record: `messageFormat` shows the fields as well.
    hideObject: true,
    ignore: 'pid,hostname',
    messageFormat: oneLine,
  };
}

/** `actor: message  field=value …`, and a stack only of what should not have happened. */
function oneLine(record: Record<string, unknown>): string {
  const { actor, msg = '', err, level: _level, time: _time, pid: _pid, ...fields } = record;
  const message = inWords(msg);
  const named = actor === undefined || message.startsWith(inWords(actor));
  const error = errorFields.safeParse(err).data;
  const parts = [named ? message : `${inWords(actor)}: ${message}`];
  if (error !== undefined) parts.push(`${error.message}${error.code ? ` [${error.code}]` : ''}`);
  for (const [name, value] of Object.entries(fields)) parts.push(`${name}=${inWords(value)}`);
  return [parts.join('  '), ...(error?.stack === undefined ? [] : [error.stack])].join('\n');
}

const errorFields = z.looseObject({
  message: z.string(),
  code: z.string().optional(),
  stack: z.string().optional(),
});

function inWords(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function withoutSecrets(line: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), line);
}

/** A coded error needs no stack to be understood; any other keeps it. */
function serializeError(error: unknown): unknown {
  if (error instanceof BridgeError) {
    const { cause } = error;
    return {
      code: error.code,
      message: error.message,
      ...(cause instanceof Error && cause.message !== error.message && { cause: cause.message }),
    };
  }
  return pino.stdSerializers.err(error instanceof Error ? error : new Error(String(error)));
}
