import { messageLookup } from '../actors/messages/message-lookup.ts';
import { createMessageReader } from '../actors/messages/message-reader.ts';
import { readInThread } from '../actors/messages/whole-item-thread.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { SYSTEM } from '../machines/protocol.ts';
import type { Parts } from './parts.ts';

/** Answers `message.full`. */
export function messagesChild({ connection, redaction }: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.messages,
    systemId: SYSTEM.messages,
    logic: createMessageReader({
      lookup: messageLookup(connection),
      readItem: readInThread,
      redact: (item, directory) => redaction.item(item, directory),
    }),
    restart: 'permanent',
    shutdown: 'brutal_kill',
  });
}
