/**
 * What Codex prints at once, in few events. Each event is a turn of several machines, however
 * little it holds: line by line, thousands of them a second would leave no time for anything else.
 */
import type { CodexProcessEvent } from '../../machines/codex-process-events.ts';
import type { Send } from './codex-child.ts';

/**
 * Lines, items and pieces are held until this turn of the event loop has read its chunk, or
 * something else is to be told; those of one kind that follow each other become one event.
 */
export function batched(send: Send): Send {
  let lines: CodexProcessEvent[] = [];
  /** Items and pieces: their order says which is newer. */
  let content: CodexProcessEvent[] = [];
  const flush = () => {
    const held = [...lines, ...content];
    lines = [];
    content = [];
    for (const event of held) send(event);
  };
  return (event) => {
    if (!isHeld(event)) {
      flush();
      send(event);
      return;
    }
    const held = event.type === 'process.lines' ? lines : content;
    if (lines.length + content.length === 0) queueMicrotask(flush);
    if (!joined(held.at(-1), event)) held.push(copyOf(event));
  };
}

type Held = Extract<
  CodexProcessEvent,
  { type: 'process.lines' | 'process.items' | 'process.pieces' }
>;

function isHeld(event: CodexProcessEvent): event is Held {
  return ['process.lines', 'process.items', 'process.pieces'].includes(event.type);
}

/** Of its own arrays, to which more may be added. */
function copyOf(event: Held): Held {
  switch (event.type) {
    case 'process.lines':
      return { ...event, lines: [...event.lines] };
    case 'process.items':
      return { ...event, items: [...event.items] };
    case 'process.pieces':
      return { ...event, pieces: [...event.pieces] };
  }
}

/** Adds the second to the first, where they are of one kind. */
function joined(first: CodexProcessEvent | undefined, second: Held): boolean {
  if (first?.type === 'process.lines' && second.type === 'process.lines') {
    if (first.stream !== second.stream) return false;
    first.lines.push(...second.lines);
    return true;
  }
  if (first?.type === 'process.items' && second.type === 'process.items') {
    first.items.push(...second.items);
    first.bytes += second.bytes;
    return true;
  }
  if (first?.type === 'process.pieces' && second.type === 'process.pieces') {
    first.pieces.push(...second.pieces);
    return true;
  }
  return false;
}
