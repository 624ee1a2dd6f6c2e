/** What an app looks like to the bridge: a page with the official `convex/react`, and nothing of ours. */
import { ConvexProviderWithAuth, ConvexReactClient, useQuery } from 'convex/react';
import { makeFunctionReference } from 'convex/server';
import { useCallback } from 'react';
import { createRoot } from 'react-dom/client';
import { connectBridge } from '../../../src/control/connect-bridge.ts';

interface Thread {
  _id: string;
  threadId: string;
  title: string;
  messageCount: number;
}
interface Message {
  _id: string;
  kind: string;
  role?: string;
  text?: string;
}

const listWithCounts = makeFunctionReference<'query', Record<string, never>, Thread[]>(
  'threads:listWithCounts',
);
const forThread = makeFunctionReference<'query', { threadId: string }, Message[]>(
  'messages:forThread',
);

function Threads() {
  const threads = useQuery(listWithCounts, {});
  if (threads === undefined) return <p id="loading">…</p>;
  return (
    <ul id="threads">
      {threads.map((thread) => (
        <li key={thread._id} data-thread={thread.threadId} data-count={thread.messageCount}>
          <h2>{thread.title}</h2>
          <Messages threadId={thread.threadId} />
        </li>
      ))}
    </ul>
  );
}

function Messages({ threadId }: { threadId: string }) {
  const messages = useQuery(forThread, { threadId }) ?? [];
  return (
    <ol>
      {messages.map((message) => (
        <li
          key={message._id}
          data-id={message._id}
          data-kind={message.kind}
          data-role={message.role}
        >
          {message.text}
        </li>
      ))}
    </ol>
  );
}

/** As an app has it: paired with the bridge once, it gets its tokens for Convex from it. */
const parameters = new URLSearchParams(location.search);
const bridge = await connectBridge({
  url: parameters.get('control') ?? '',
  token: parameters.get('token') ?? '',
});
const askForToken = () => bridge.request('convex.token');

function useBridgeTokens() {
  const fetchAccessToken = useCallback(async () => (await askForToken()).token, []);
  return { isLoading: false, isAuthenticated: true, fetchAccessToken };
}

const root = document.querySelector('#root');
if (root !== null) {
  const { url } = await askForToken();
  createRoot(root).render(
    <ConvexProviderWithAuth
      client={new ConvexReactClient(url, { expectAuth: true })}
      useAuth={useBridgeTokens}
    >
      <Threads />
    </ConvexProviderWithAuth>,
  );
}
