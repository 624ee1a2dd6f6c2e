/** What a person wants to see of Codex's own lines: its words as they come, and the commands it ran. */
import { z } from 'zod';
import { printableText } from './printable.ts';
import { jsonOrUndefined } from '../control/json-or-undefined.ts';

/** Takes the lines of one run, of either driver; what is of no interest, or is no JSON, shows nothing. */
export function showItems(): (line: string) => void {
  /** The message whose words are being printed. */
  let open: string | undefined;
  /** The run's own; those of its sub-agents come by too. */
  let threadId: string | undefined;
  const endLine = () => {
    if (open !== undefined) process.stdout.write('\n');
    open = undefined;
  };

  function showExec({ type, text, command }: z.infer<typeof execEvent>['item']): void {
    if (type === 'agent_message' && text !== undefined) console.log(printableText(text));
    if (type === 'command_execution' && command !== undefined) showCommand(command);
  }

  function showNotification({ method, params }: z.infer<typeof notification>): void {
    if (method === 'turn/started') threadId ??= params.threadId;
    if (params.threadId !== threadId) return;
    const { delta, itemId, item } = params;
    if (method === 'item/agentMessage/delta' && delta !== undefined) {
      if (open !== itemId) endLine();
      open = itemId;
      process.stdout.write(printableText(delta));
    } else if (method === 'item/completed' && item?.type === 'agentMessage') {
      if (open === item.id) endLine();
      else console.log(printableText(item.text ?? ''));
    } else if (method === 'item/completed' && item?.type === 'commandExecution') {
      if (item.command !== undefined) showCommand(item.command);
    } else if (method === 'turn/completed') {
      endLine();
    }
  }

  return (line) => {
    const json = jsonOrUndefined(line);
    const event = execEvent.safeParse(json);
    if (event.success) return showExec(event.data.item);
    const told = notification.safeParse(json);
    if (told.success) showNotification(told.data);
  };
}

function showCommand(command: string): void {
  process.stderr.write(`$ ${printableText(command)}\n`);
}

const text = z.string().optional().catch(undefined);

/** Of `codex exec --json`. */
const execEvent = z.looseObject({
  type: z.literal('item.completed'),
  item: z.looseObject({ type: z.string(), text, command: text }),
});

/** Of `codex app-server`. */
const notification = z.looseObject({
  method: z.string(),
  params: z.looseObject({
    threadId: text,
    itemId: text,
    delta: text,
    item: z.looseObject({ type: z.string(), id: text, text, command: text }).optional(),
  }),
});
