/** A small MCP server on stdio: `echo` gives back its text, `boom` fails. */
import { createInterface } from 'node:readline';
import { z } from 'zod';

const request = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string(),
  params: z
    .looseObject({
      name: z.string().optional(),
      protocolVersion: z.string().optional(),
      arguments: z.looseObject({ text: z.string().optional() }).optional(),
    })
    .optional(),
});

const input = { type: 'object', properties: { text: { type: 'string' } } };
const tools = ['echo', 'boom'].map((name) => ({ name, description: name, inputSchema: input }));

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = request.parse(JSON.parse(line));
  if (id === undefined) return;
  const result = answer(method, params);
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
});

function answer(method: string, params: z.infer<typeof request>['params']): object {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params?.protocolVersion ?? '2025-06-18',
        capabilities: { tools: {} },
        serverInfo: { name: 'echo', version: '1' },
      };
    case 'tools/list':
      return { tools };
    case 'tools/call': {
      const isError = params?.name === 'boom';
      const text = isError ? 'boom' : (params?.arguments?.text ?? '');
      return { content: [{ type: 'text', text }], isError };
    }
    default:
      return {};
  }
}
