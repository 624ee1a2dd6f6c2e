/** Steps of a script as output items of the Responses API. */
import { randomBytes } from 'node:crypto';
import type { Step } from './script.ts';

export interface OutputItem {
  type: string;
  id: string;
  [field: string]: unknown;
}

/**
 * direct     the model calls each tool by its name (gpt-5.5)
 * code mode  it writes JavaScript that calls them, for the one tool `exec` (gpt-6)
 */
export type ToolStyle = 'direct' | 'code mode';

/** The item that a finished step leaves, or null for a step that leaves none. */
export function outputItem(step: Step, style: ToolStyle, isLast: boolean): OutputItem | null {
  switch (step.do) {
    case 'reason':
      return {
        type: 'reasoning',
        id: newId('rs'),
        summary: [{ type: 'summary_text', text: step.text }],
        content: null,
        encrypted_content: Buffer.from(step.text).toString('base64'),
      };
    case 'say':
      return {
        type: 'message',
        id: newId('msg'),
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: step.text, annotations: [] }],
        phase: isLast ? 'final_answer' : 'commentary',
      };
    case 'call':
      return style === 'direct'
        ? {
            type: 'function_call',
            id: newId('fc'),
            name: step.tool,
            ...(step.server === undefined ? {} : { namespace: `mcp__${step.server}` }),
            arguments: JSON.stringify(step.arguments),
            call_id: newId('call'),
          }
        : execCall(step.tool, step.arguments);
    case 'patch':
      return style === 'direct'
        ? {
            type: 'custom_tool_call',
            id: newId('ctc'),
            status: 'completed',
            name: 'apply_patch',
            input: step.patch,
            call_id: newId('call'),
          }
        : execCall('apply_patch', step.patch);
    case 'hold':
    case 'pause':
    case 'fail':
    case 'hang up':
    case 'refuse':
      return null;
    default:
      return step satisfies never;
  }
}

function execCall(tool: string, argument: unknown): OutputItem {
  return {
    type: 'custom_tool_call',
    id: newId('ctc'),
    status: 'completed',
    namespace: 'functions',
    name: 'exec',
    input: `const result = await tools.${tool}(${JSON.stringify(argument)});\ntext(JSON.stringify(result));`,
    call_id: newId('call'),
  };
}

export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(20).toString('hex')}`;
}
