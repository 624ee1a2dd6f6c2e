/**
 * What the address says: `#bridge=ws://…&token=…`, or `#recording` of a server that holds one.
 * A fragment is never sent to a server; it is taken out of the address bar at once, and kept
 * for a reload of this tab only.
 */
export interface StartFrom {
  bridge: string;
  token: string | null;
  isRecording: boolean;
}

const KEY = 'oa-bridge-inspector';

export function startFrom(): StartFrom {
  if (location.hash.length > 1) {
    sessionStorage.setItem(KEY, location.hash.slice(1));
    history.replaceState(null, '', location.pathname);
  }
  const told = new URLSearchParams(sessionStorage.getItem(KEY) ?? '');
  return {
    bridge: told.get('bridge') ?? 'ws://127.0.0.1:8787/ws',
    token: told.get('token'),
    isRecording: told.has('recording'),
  };
}
