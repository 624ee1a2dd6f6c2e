/** Which frame answers which verb. */
import type { z } from 'zod';
import {
  approvalFrame,
  approvalsFrame,
  backfillFrame,
  bridgeStatusFrame,
  convexStatusFrame,
  convexTokenFrame,
  echoFrame,
  machinesFrame,
  messageFrame,
  pairingFrame,
  runFrame,
  runsFrame,
  watchStatusFrame,
  type ReplyFrame,
} from './frames.ts';
import { machineHistoryFrame, watchingFrame } from './inspect-frames.ts';
import { projectsFrame, skillsFrame } from './library.ts';
import type { ControlVerb } from './requests.ts';
import { sessionsVerifyFrame } from './verify-frames.ts';

export const replies = {
  echo: echoFrame,
  'debug.echo': echoFrame,
  'debug.ping': echoFrame,
  'bridge.status': bridgeStatusFrame,
  'convex.status': convexStatusFrame,
  'convex.token': convexTokenFrame,
  'pair.open': pairingFrame,
  'convex.backfill': backfillFrame,
  'convex.backfill_cancel': backfillFrame,
  'convex.backfill_status': backfillFrame,
  'sessions.watch_status': watchStatusFrame,
  'sessions.watch': watchStatusFrame,
  'sessions.verify': sessionsVerifyFrame,
  'run.submit': runFrame,
  'run.steer': runFrame,
  'run.edit': runFrame,
  'run.status': runFrame,
  'runs.list': runsFrame,
  interrupt: runFrame,
  'approvals.list': approvalsFrame,
  'approval.answer': approvalFrame,
  'machines.list': machinesFrame,
  'machines.history': machineHistoryFrame,
  'machines.watch': watchingFrame,
  'machines.unwatch': watchingFrame,
  projects: projectsFrame,
  'project.save': projectsFrame,
  'project.delete': projectsFrame,
  skills: skillsFrame,
  'message.full': messageFrame,
} satisfies Record<ControlVerb, z.ZodType<ReplyFrame>>;

/** What a verb is answered with. */
export type Reply<Verb extends ControlVerb> = z.output<(typeof replies)[Verb]>;
