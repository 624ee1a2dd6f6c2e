import { useState } from 'react';

/** Asks for what the address did not say. The token stays in this page. */
export function ConnectForm({
  bridge,
  problem,
  onConnect,
}: {
  bridge: string;
  problem: string | null;
  onConnect: (url: string, token: string) => Promise<void>;
}) {
  const [url, setUrl] = useState(bridge);
  const [token, setToken] = useState('');
  return (
    <main className="connect">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void onConnect(url, token.trim());
        }}
      >
        <h1>oa-bridge inspector</h1>
        <label>
          Control socket
          <input value={url} onChange={({ target }) => setUrl(target.value)} spellCheck={false} />
        </label>
        <label>
          Token
          <input
            type="password"
            value={token}
            onChange={({ target }) => setToken(target.value)}
            autoComplete="off"
            autoFocus
          />
        </label>
        <p className="hint">
          <code>oa-bridge token</code> prints it.
        </p>
        {problem !== null && (
          <p role="alert" className="problem">
            {problem}
          </p>
        )}
        <button type="submit">Connect</button>
      </form>
    </main>
  );
}
