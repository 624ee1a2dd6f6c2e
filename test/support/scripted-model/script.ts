/** What a scripted model shall answer. One reply answers one request of Codex. */

export type Reply = readonly Step[];

/**
 * By a text that the user's prompt contains: the replies to that prompt, in the
 * order of the requests (each tool call of a reply makes Codex ask once more).
 * The longest text that fits decides. `'*'` fits every prompt.
 */
export type Script = Readonly<Record<string, readonly Reply[]>>;

export type Step =
  | { do: 'reason'; text: string }
  /** Sent in `pieces`, as a model would; after the first it may wait at a gate. */
  | { do: 'say'; text: string; pieces: number; gate?: string }
  | {
      do: 'call';
      tool: string;
      /** The MCP server whose tool it is. */
      server?: string;
      arguments: Record<string, unknown>;
    }
  | { do: 'patch'; patch: string }
  /** The stream stands still here until the test releases it (`ScriptedModel.release`). */
  | { do: 'hold'; gate: string }
  /** For demonstrations: the pace of a real model. Tests use `hold`. */
  | { do: 'pause'; ms: number }
  /** Ends the stream with `response.failed`. */
  | { do: 'fail'; code: string; message: string }
  /** Cuts the connection. */
  | { do: 'hang up' }
  /** An HTTP error instead of a stream; only as the first step. */
  | { do: 'refuse'; status: number; message: string };

export function reason(text: string): Step {
  return { do: 'reason', text };
}

export function say(text: string, pieces = 3): Step {
  return { do: 'say', text, pieces };
}

/** Words that come in two halves; the second when the test releases the gate. */
export function sayHalting(text: string, gate: string): Step {
  return { do: 'say', text, pieces: 2, gate };
}

/** A shell command; `yieldMs` is how long Codex waits before it lets the command go on behind. */
export function shell(command: string, yieldMs?: number): Step {
  const limit = yieldMs === undefined ? {} : { yield_time_ms: yieldMs };
  return { do: 'call', tool: 'exec_command', arguments: { cmd: command, ...limit } };
}

/** A tool of an MCP server that the Codex home configures. */
export function mcp(server: string, tool: string, input: Record<string, unknown>): Step {
  return { do: 'call', server, tool, arguments: input };
}

/** A change of files in the language of Codex's `apply_patch`, without its envelope. */
export function patch(...lines: string[]): Step {
  return { do: 'patch', patch: ['*** Begin Patch', ...lines, '*** End Patch'].join('\n') };
}

export function plan(
  steps: Record<string, 'pending' | 'in_progress' | 'completed'>,
  explanation = 'the plan',
): Step {
  const list = Object.entries(steps).map(([step, status]) => ({ step, status }));
  return { do: 'call', tool: 'update_plan', arguments: { explanation, plan: list } };
}

export function hold(gate: string): Step {
  return { do: 'hold', gate };
}

export function pause(ms: number): Step {
  return { do: 'pause', ms };
}

export function fail(message: string, code = 'server_error'): Step {
  return { do: 'fail', code, message };
}

export function hangUp(): Step {
  return { do: 'hang up' };
}

export function refuse(status: number, message: string): Step {
  return { do: 'refuse', status, message };
}

/** Codex only asks again when the reply had a tool call. */
export function callsTool(reply: Reply): boolean {
  return reply.some((step) => step.do === 'call' || step.do === 'patch');
}
