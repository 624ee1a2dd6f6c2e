import { useEffect, useRef } from 'react';

const KEYS: [string[], string][] = [
  [['↑', '↓'], 'previous or next actor, in the tree'],
  [['←', '→'], 'close or open a branch of the tree'],
  [['/'], 'filter actors and events'],
  [['['], 'one event back'],
  [[']'], 'one event on'],
  [['L'], 'back to now'],
  [['E'], 'show all events, or only what changed'],
  [['F'], 'fit the chart into its pane'],
  [['T'], 'light or dark'],
  [['Esc'], 'close this, leave the filter'],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="shortcuts" onClose={onClose} aria-label="Keyboard shortcuts">
      <h2>Keyboard</h2>
      <dl>
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={onClose} autoFocus>
        Close
      </button>
    </dialog>
  );
}
