/** What Convex knows of a message and its file. */
import { api } from '../../../convex/_generated/api.js';
import type { Id } from '../../../convex/_generated/dataModel.js';
import { BridgeError } from '../../errors.ts';
import type { ConvexConnection } from '../convex/connection.ts';
import type { MessageLookup } from './find-whole.ts';

export function messageLookup(connection: Pick<ConvexConnection, 'query'>): MessageLookup {
  return {
    async message(messageId) {
      try {
        // The function checks it: a client may have sent anything.
        const row = await connection.query(api.messages.byId, { id: messageId as Id<'messages'> });
        if (row === null) return null;
        const {
          _id,
          _creationTime,
          seq: _seq,
          createdAt: _createdAt,
          updatedAt: _updatedAt,
          threadId,
          ...item
        } = row;
        return { threadId, item };
      } catch (thrown) {
        if (thrown instanceof BridgeError && thrown.code === 'convex_rejected') return null;
        throw thrown;
      }
    },
    async thread(threadId) {
      return (await connection.query(api.threads.byId, { id: threadId })) ?? {};
    },
  };
}
