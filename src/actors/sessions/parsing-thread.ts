/**
 * Parses history in a thread of its own, so that no import delays a live line. The
 * thread is there while somebody reads history; when it crashes, those who read then
 * start over with the next one.
 */
import { isMarkedAsUntransferable, Worker } from 'node:worker_threads';
import { createRolloutReader } from '../../codex/rollout/create-rollout-reader.ts';
import type { ThreadPatch } from '../../codex/thread-item.ts';
import { parsingEntry } from '../../entries.ts';
import { BridgeError } from '../../errors.ts';
import type { LineParser, ParsedLines, ParserState } from './line-parser.ts';
import type { FromParsingThread, ToParsingThread } from './parsing-protocol.ts';

/** Of its heap. Some files at once, each with a chunk and what later lines need of earlier ones. */
const LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 12 };
/** Milliseconds that the thread is kept when nobody reads history any more. */
const IDLE_LIMIT = 5_000;

export class ParsingThread {
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;
  #parsers = 0;
  readonly #open = new Map<number, RemoteParser>();
  readonly #onThread: (isThere: boolean) => void;

  /** `onThread` is told when the thread is there, and when it is not any more. */
  constructor(onThread: (isThere: boolean) => void = () => {}) {
    this.#onThread = onThread;
  }

  parser(path: string): LineParser {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    const number = (this.#parsers += 1);
    // Before its first line only the name of a file tells of its thread.
    const { thread } = createRolloutReader({ path });
    const parser = new RemoteParser(
      thread,
      (message, transfer) => worker.postMessage({ ...message, parser: number }, transfer),
      () => this.#closed(number),
    );
    this.#open.set(number, parser);
    const open: ToParsingThread = { type: 'open', parser: number, path };
    worker.postMessage(open);
    return parser;
  }

  #start(): Worker {
    this.#onThread(true);
    const worker = new Worker(parsingEntry(), {
      env: {},
      resourceLimits: LIMITS,
    });
    // It must not keep a process alive that has nothing else to do.
    worker.unref();
    worker.on('message', ({ parser, parsed, state }: FromParsingThread) =>
      this.#open.get(parser)?.answered(parsed, state),
    );
    let cause: unknown;
    worker.on('error', (error) => (cause = error));
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#onThread(false);
      const lost = [...this.#open.values()];
      this.#open.clear();
      const error = new BridgeError('session_unreadable', 'the parsing thread ended', { cause });
      for (const parser of lost) parser.lost(error);
    });
    return worker;
  }

  #closed(number: number): void {
    this.#open.delete(number);
    if (this.#open.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stop(), IDLE_LIMIT).unref();
  }

  #stop(): void {
    const worker = this.#worker;
    if (worker === null) return;
    this.#worker = null;
    this.#onThread(false);
    void worker.terminate();
  }
}

type Message =
  | { type: 'push'; chunk: Uint8Array; from: number }
  | { type: 'dropTorn' }
  | { type: 'close' };

/** One file's parser in the thread. One chunk is with it at a time. */
class RemoteParser implements LineParser {
  state: ParserState;
  readonly #post: (message: Message, transfer?: ArrayBuffer[]) => void;
  readonly #closed: () => void;
  #pending: PromiseWithResolvers<ParsedLines> | null = null;
  #error: BridgeError | null = null;

  constructor(
    thread: ThreadPatch,
    post: (message: Message, transfer?: ArrayBuffer[]) => void,
    closed: () => void,
  ) {
    this.state = { position: 0, parsedTo: 0, thread };
    this.#post = post;
    this.#closed = closed;
  }

  async push(chunk: Buffer, from: number): Promise<ParsedLines> {
    if (this.#error !== null) throw this.#error;
    const pending = (this.#pending = Promise.withResolvers<ParsedLines>());
    const { buffer } = chunk;
    // Handed over, not copied, unless Node keeps other small buffers in it.
    const isOurs = buffer instanceof ArrayBuffer && !isMarkedAsUntransferable(buffer);
    this.#post({ type: 'push', chunk, from }, isOurs ? [buffer] : []);
    return await pending.promise;
  }

  dropTorn(): void {
    this.state = { ...this.state, position: this.state.parsedTo };
    this.#post({ type: 'dropTorn' });
  }

  close(): void {
    this.#post({ type: 'close' });
    this.#closed();
  }

  answered({ chunk, ...parsed }: FromParsingThread['parsed'], state: ParserState): void {
    this.state = state;
    const { buffer, byteOffset, byteLength } = chunk;
    this.#pending?.resolve({ ...parsed, chunk: Buffer.from(buffer, byteOffset, byteLength) });
    this.#pending = null;
  }

  lost(error: BridgeError): void {
    this.#error = error;
    this.#pending?.reject(error);
    this.#pending = null;
  }
}
