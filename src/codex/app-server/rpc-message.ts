/**
 * The messages of `codex app-server`: JSON-RPC 2.0 without its `jsonrpc` member, one a
 * line. Both sides number their own requests, so only a `method` tells a request of
 * Codex from an answer to one of ours. Pure.
 */
import { z } from 'zod';
import { parseJson } from '../parse-json.ts';

export type RpcId = string | number;

export type RpcMessage =
  | { kind: 'result'; id: RpcId; result: unknown }
  | { kind: 'error'; id: RpcId; message: string }
  | { kind: 'request'; id: RpcId; method: string; params: unknown }
  /** `ts`: when Codex sent it, in milliseconds since the epoch. */
  | { kind: 'notification'; method: string; params: unknown; ts?: number };

/** Throws a `ZodError` or `SyntaxError` on what is no message. */
export function parseRpcMessage(line: string): RpcMessage {
  const { id, method, params, error, result, emittedAtMs } = message.parse(parseJson(line));
  if (method !== undefined) {
    if (id !== undefined) return { kind: 'request', id, method, params };
    return { kind: 'notification', method, params, ...(emittedAtMs && { ts: emittedAtMs }) };
  }
  if (error !== undefined) return { kind: 'error', id: id ?? '', message: error.message };
  return { kind: 'result', id: id ?? '', result };
}

const message = z
  .object({
    id: z.union([z.string(), z.number()]).optional(),
    method: z.string().optional(),
    params: z.unknown().optional(),
    result: z.unknown().optional(),
    error: z.object({ message: z.string() }).optional(),
    emittedAtMs: z.number().optional().catch(undefined),
  })
  .refine(({ id, method }) => id !== undefined || method !== undefined, 'neither id nor method');
