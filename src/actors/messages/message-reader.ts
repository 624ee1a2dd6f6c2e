/** The actor under SYSTEM.messages: answers `message.full`, one request after another. */
import { fromCallback, type CallbackActorLogic } from 'xstate';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { ControlError, MessageFrame } from '../../control/frames.ts';
import { toBridgeError } from '../../errors.ts';
import { SYSTEM, type ControlRequestEvent, type GatewayCommand } from '../../machines/protocol.ts';
import { findWhole, Refusal, type MessageLookup, type WholeMessage } from './find-whole.ts';
import type { WholeItemRequest, WholeItemResult } from './whole-item.ts';

export interface MessageReaderOptions {
  lookup: MessageLookup;
  readItem: (request: WholeItemRequest, signal: AbortSignal) => Promise<WholeItemResult>;
  /** As of what goes to Convex; whoever asks has no more than the rows. */
  redact: (item: ThreadItem, directory: string | undefined) => ThreadItem;
}

/** Characters. In a frame they are at most four times as many bytes, and mostly as many. */
const PART_LENGTH = 256 * 1024;
/** Milliseconds. Between two parts a client need not wait for the file to be read again. */
const KEPT_FOR = 30_000;
/** A file may take seconds, and whoever is behind more than these waits too long. */
const MAX_WAITING = 16;

export function createMessageReader({
  lookup,
  readItem,
  redact,
}: MessageReaderOptions): CallbackActorLogic<ControlRequestEvent> {
  return fromCallback<ControlRequestEvent>(({ receive, system }) => {
    const ended = new AbortController();
    const read = (request: WholeItemRequest) => readItem(request, ended.signal);
    let kept: WholeMessage | null = null;
    let forgetting: NodeJS.Timeout | undefined;
    let waiting = 0;
    let last: Promise<void> = Promise.resolve();

    const find = async (messageId: string, part: number): Promise<WholeMessage> => {
      // The first part is asked for to see what there is now.
      if (part > 0 && kept?.messageId === messageId) return kept;
      kept = await findWhole(messageId, lookup, read, redact);
      clearTimeout(forgetting);
      forgetting = setTimeout(() => (kept = null), KEPT_FOR);
      return kept;
    };

    const answer = async ({ requestId, request }: ControlRequestEvent): Promise<GatewayCommand> => {
      try {
        if (request.control !== 'message.full') {
          throw new Refusal('unknown_control', `"${request.control}" is not answered here.`);
        }
        const { messageId, part = 0 } = request;
        const frame = partOf(await find(messageId, part), part);
        return { type: 'control.reply', requestId, frame };
      } catch (thrown) {
        return { type: 'control.failed', requestId, error: controlError(thrown) };
      }
    };

    receive((event) => {
      const reply = (command: GatewayCommand) => system.get(SYSTEM.gateway)?.send(command);
      if (waiting >= MAX_WAITING) {
        const error = controlError(
          new Refusal('rate_limited', 'Too many messages are being read; try again in a moment.'),
        );
        reply({ type: 'control.failed', requestId: event.requestId, error });
        return;
      }
      waiting += 1;
      last = last.then(async () => {
        if (!ended.signal.aborted) reply(await answer(event));
        waiting -= 1;
      });
    });
    return () => {
      ended.abort();
      clearTimeout(forgetting);
    };
  });
}

function partOf({ messageId, threadId, json }: WholeMessage, part: number): MessageFrame {
  const parts = Math.max(1, Math.ceil(json.length / PART_LENGTH));
  if (part >= parts) {
    throw new Refusal('invalid_request', `This message has ${parts} parts, counted from 0.`);
  }
  const frame = {
    type: 'bridge.message',
    messageId,
    threadId,
    length: json.length,
    part,
    parts,
  } as const;
  if (parts === 1) return { ...frame, item: JSON.parse(json) };
  return { ...frame, json: json.slice(cut(json, part), cut(json, part + 1)) };
}

/** Where a part begins: never between the two halves of a character. */
function cut(json: string, part: number): number {
  const at = part * PART_LENGTH;
  const unit = json.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff ? at + 1 : at;
}

function controlError(thrown: unknown): ControlError {
  if (thrown instanceof Refusal) return { code: thrown.code, message: thrown.message };
  const { message, retryable } = toBridgeError(thrown);
  return { code: retryable ? 'unavailable' : 'internal', message };
}
