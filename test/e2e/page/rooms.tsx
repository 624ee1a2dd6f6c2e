/** An app with the official `convex/react`: every state that it shows is kept, for a test to look at. */
import {
  ConvexProvider,
  ConvexReactClient,
  useMutation,
  usePaginatedQuery,
  useQuery,
} from 'convex/react';
import { makeFunctionReference } from 'convex/server';
import type { PaginationOptions, PaginationResult } from 'convex/server';
import { useLayoutEffect } from 'react';
import { createRoot } from 'react-dom/client';

interface App {
  /** Every rendered list; null while there is none. */
  lists: Array<string[] | null>;
  pages: string[][];
  pageStatus: string;
  /** By client: what `whoami` was. */
  names: Record<string, Array<string | null | undefined>>;
  /** Shows the message at once, and resolves when the backend has it. */
  send: (body: string) => Promise<unknown>;
  loadMore: (count: number) => void;
}

declare global {
  // The browser's own name for its global object is an interface.
  interface Window {
    app: App;
  }
}

const list = makeFunctionReference<'query', { room: string }, string[]>('rooms:list');
const send = makeFunctionReference<'mutation', { room: string; body: string }, string>(
  'rooms:send',
);
const page = makeFunctionReference<
  'query',
  { room: string; paginationOpts: PaginationOptions },
  PaginationResult<string>
>('rooms:page');
const whoami = makeFunctionReference<'query', Record<string, never>, string | null>('rooms:whoami');

const parameters = new URLSearchParams(location.search);
const url = parameters.get('convex') ?? '';
const room = parameters.get('room') ?? '';

window.app = {
  lists: [],
  pages: [],
  pageStatus: '',
  names: {},
  send: () => Promise.reject(new Error('not rendered yet')),
  loadMore: () => undefined,
};

function Room() {
  const messages = useQuery(list, { room });
  const sendMessage = useMutation(send).withOptimisticUpdate((store, message) => {
    const shown = store.getQuery(list, { room }) ?? [];
    store.setQuery(list, { room }, [...shown, message.body]);
  });
  // With the commit, not after it: what the page shows and what was kept are never apart.
  useLayoutEffect(() => {
    window.app.lists.push(messages ?? null);
    window.app.send = (body) => sendMessage({ room, body });
  });
  return <p id="count">{messages?.length}</p>;
}

function Pages() {
  const { results, status, loadMore } = usePaginatedQuery(page, { room }, { initialNumItems: 5 });
  useLayoutEffect(() => {
    window.app.pages.push(results);
    window.app.pageStatus = status;
    window.app.loadMore = loadMore;
  });
  return (
    <ol id="pages" data-status={status}>
      {results.map((body) => (
        <li key={body}>{body}</li>
      ))}
    </ol>
  );
}

function Name({ of }: { of: string }) {
  const name = useQuery(whoami, {});
  useLayoutEffect(() => {
    (window.app.names[of] ??= []).push(name);
  });
  return <p id={of}>{name}</p>;
}

/** Two clients on one page: who they are must not mix. */
function Names() {
  return ['Ada', 'Grace'].map((name) => {
    const client = new ConvexReactClient(url);
    client.setAuth(() => Promise.resolve(parameters.get(name)));
    return (
      <ConvexProvider key={name} client={client}>
        <Name of={name} />
      </ConvexProvider>
    );
  });
}

const root = document.querySelector('#root');
if (root !== null) {
  createRoot(root).render(
    parameters.has('names') ? (
      <Names />
    ) : (
      <ConvexProvider client={new ConvexReactClient(url)}>
        <Room />
        <Pages />
      </ConvexProvider>
    ),
  );
}
