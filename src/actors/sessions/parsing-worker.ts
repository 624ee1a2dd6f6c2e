/** The thread behind `parsing-thread.ts`. */
import { parentPort } from 'node:worker_threads';
import { createRolloutReader } from '../../codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION } from '../../codex/rollout/rollout-reader.ts';
import { FileParser } from './line-parser.ts';
import type { FromParsingThread, ToParsingThread } from './parsing-protocol.ts';

const parsers = new Map<number, FileParser>();

parentPort?.on('message', (message: ToParsingThread) => {
  const { parser } = message;
  switch (message.type) {
    case 'open': {
      const reader = createRolloutReader({ path: message.path });
      parsers.set(parser, new FileParser(reader, PARSER_VERSION));
      break;
    }
    case 'push':
      push(parser, message);
      break;
    case 'dropTorn':
      parsers.get(parser)?.dropTorn();
      break;
    case 'close':
      parsers.delete(parser);
      break;
  }
});

function push(number: number, { chunk, from }: ToParsingThread & { type: 'push' }): void {
  const parser = parsers.get(number);
  if (parser === undefined) throw new Error(`parser ${number} is not open`);
  const { buffer, byteOffset, byteLength } = chunk;
  const parsed = parser.push(Buffer.from(buffer, byteOffset, byteLength), from);
  const answer: FromParsingThread = { parser: number, parsed, state: parser.state };
  parentPort?.postMessage(answer, [buffer]);
}
