/** An app's view: the unmodified official client, subscribed to what an app subscribes to. */
import { ConvexClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';

interface ThreadRow {
  _id: string;
  threadId: string;
  resumeId?: string;
  title: string;
  source: string;
  messageCount: number;
  rolloutPath?: string;
  archived: boolean;
  rolloutDeletedAt?: number;
  cwd?: string;
}

export interface MessageRow {
  _id: string;
  key: string;
  turnId?: string;
  kind: string;
  role?: string;
  text?: string;
  ts: number;
  provisional?: boolean;
  partial?: boolean;
  seq?: number;
  data?: Record<string, unknown>;
}

const threadsListWithCounts = makeFunctionReference<'query', { limit?: number }, ThreadRow[]>(
  'threads:listWithCounts',
);
export const messagesForThread = makeFunctionReference<
  'query',
  { threadId: string; limit?: number },
  MessageRow[]
>('messages:forThread');
export const threadsCreate = makeFunctionReference<
  'mutation',
  { cwd?: string; title?: string },
  string
>('threads:create');

export interface Subscriber {
  readonly client: ConvexClient;
  /** Every value that a subscription delivered is looked at until one fits; resolves with it. */
  threads(fits: (threads: ThreadRow[]) => boolean): Promise<ThreadRow[]>;
  messages(threadId: string, fits: (messages: MessageRow[]) => boolean): Promise<MessageRow[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A daemon, as far as an app needs it. */
export interface ConvexAccess {
  convexUrl: string;
  convexToken(): Promise<string>;
}

/** @param convexUrl where a daemon that has not said so yet serves Convex */
export function subscribe(daemon: ConvexAccess, convexUrl = daemon.convexUrl): Subscriber {
  const client = new ConvexClient(convexUrl, {
    skipConvexDeploymentUrlCheck: true,
    expectAuth: true,
  });
  client.setAuth(tokensOf(daemon));
  return {
    client,
    threads: (fits) => firstFit(client, threadsListWithCounts, {}, fits),
    // More than any test writes into one thread.
    messages: (threadId, fits) =>
      firstFit(client, messagesForThread, { threadId, limit: 500 }, fits),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** What `setAuth` takes: the last token goes on being good while its daemon is away. */
function tokensOf(daemon: ConvexAccess): () => Promise<string | null> {
  let last: string | null = null;
  return async () => {
    last = await daemon.convexToken().catch(() => last);
    return last;
  };
}

function firstFit<Query extends typeof threadsListWithCounts | typeof messagesForThread>(
  client: ConvexClient,
  query: Query,
  args: Query['_args'],
  fits: (value: Query['_returnType']) => boolean,
): Promise<Query['_returnType']> {
  return new Promise((resolve, reject) => {
    let isFound = false;
    const stop = client.onUpdate(
      query,
      args,
      (value) => {
        if (isFound || !fits(value)) return;
        isFound = true;
        // The callback can come before `onUpdate` has returned.
        queueMicrotask(() => stop());
        resolve(value);
      },
      reject,
    );
  });
}
