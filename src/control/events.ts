/** What the daemon sends to everybody: broadcasts, and the lines that Codex prints. */
import { z } from 'zod';
import { broadcast, codexLineFrame, type Broadcast, type CodexLineFrame } from './frames.ts';

/** `seq` grows with each event of one life of the daemon; `ts` is milliseconds since the epoch. */
export type BridgeEvent = (Broadcast & { seq: number; ts: number }) | CodexLineFrame;
export type EventType = BridgeEvent['type'];
export type EventOf<Type extends EventType> = Extract<BridgeEvent, { type: Type }>;

const stamp = z.object({ seq: z.number(), ts: z.number() });

/** Undefined for what this version does not know. */
export function parseEvent(frame: unknown): BridgeEvent | undefined {
  const line = codexLineFrame.safeParse(frame);
  if (line.success) return line.data;
  const event = broadcast.safeParse(frame);
  const stamped = stamp.safeParse(frame);
  return event.success && stamped.success ? { ...event.data, ...stamped.data } : undefined;
}
