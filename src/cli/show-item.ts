/** What a person wants to see of Codex's events: its words, and the commands it ran. */
import { z } from 'zod';

/** @param line of `codex exec --json`; what is of no interest, or is no JSON, shows nothing */
export function showItem(line: string): void {
  const event = itemEvent.safeParse(parseJson(line));
  if (!event.success) return;
  const { type, text, command } = event.data.item;
  if (type === 'agent_message' && text !== undefined) console.log(text);
  if (type === 'command_execution' && command !== undefined) process.stderr.write(`$ ${command}\n`);
}

const itemEvent = z.looseObject({
  type: z.literal('item.completed'),
  item: z.looseObject({
    type: z.string(),
    text: z.string().optional(),
    command: z.string().optional(),
  }),
});

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
