/** The actor under SYSTEM.verifier: answers `sessions.verify`, one verification at a time. */
import { randomUUID } from 'node:crypto';
import { fromCallback, type CallbackActorLogic } from 'xstate';
import type { ControlError } from '../../control/frames.ts';
import type { ControlRequest } from '../../control/requests.ts';
import type { SessionsVerifyFrame } from '../../control/verify-frames.ts';
import type { Redaction } from '../convex/redaction.ts';
import { SYSTEM, type ControlRequestEvent, type GatewayCommand } from '../../machines/protocol.ts';
import {
  verifyInThread,
  type VerifyRequest,
  type VerifyThreadMessage,
} from './verify-in-thread.ts';
import { VerifyReport, type ReportFields } from './verify-report.ts';

export interface VerifierOptions {
  /** The folder of the session files. */
  root: string;
  machineId: string;
  redaction: Redaction;
  /** Of Convex; null while it is not known. */
  url: () => string | null;
  /** The bridge's own, for Convex. */
  token: () => Promise<string>;
}

type VerifyFields = Extract<ControlRequest, { control: 'sessions.verify' }>;

interface Running {
  verifyId: string;
  startedAt: number;
  report: ReportFields;
  stop: () => void;
}

export function createVerifier(options: VerifierOptions): CallbackActorLogic<ControlRequestEvent> {
  return fromCallback<ControlRequestEvent>(({ receive, system }) => {
    const send = (command: GatewayCommand) => system.get(SYSTEM.gateway)?.send(command);
    let running: Running | null = null;
    let isEnded = false;

    const tell = (message: VerifyThreadMessage) => {
      if (running === null) return;
      if ('report' in message) running.report = message.report;
      const frame = frameOf(running, message);
      if (message.type !== 'progress') running = null;
      send({ type: 'broadcast', frame });
    };

    const start = async (requestId: string, request: VerifyFields): Promise<void> => {
      const url = options.url();
      if (url === null) throw refusal('unavailable', 'Convex cannot be reached right now.');
      const begun: Running = {
        verifyId: randomUUID(),
        startedAt: Date.now(),
        report: new VerifyReport(() => {}).fields,
        stop: () => {},
      };
      running = begun;
      const token = await options.token().catch((error: unknown) => {
        running = null;
        throw error;
      });
      // Cancelled, or stopped, before it had begun.
      if (isEnded || running !== begun) return;
      send({ type: 'control.reply', requestId, frame: frameOf(begun, null) });
      begun.stop = verifyInThread(threadRequest(options, request, url, token), options.token, tell);
    };

    const cancel = (requestId: string): void => {
      if (running === null) throw refusal('not_found', 'No verification is running.');
      running.stop();
      const frame: SessionsVerifyFrame = {
        ...frameOf(running, null),
        state: 'cancelled',
        ok: false,
      };
      running = null;
      send({ type: 'control.reply', requestId, frame });
      send({ type: 'broadcast', frame });
    };

    const answer = async ({ requestId, request }: ControlRequestEvent): Promise<void> => {
      try {
        if (request.control !== 'sessions.verify') {
          throw refusal('unknown_control', `"${request.control}" is not answered here.`);
        }
        if (request.cancel === true) return cancel(requestId);
        if (running !== null) {
          const { files } = running.report;
          const message = `A verification is running already (${files.done} of ${files.total} files).`;
          throw refusal('conflict', message);
        }
        await start(requestId, request);
      } catch (thrown) {
        send({ type: 'control.failed', requestId, error: controlError(thrown) });
      }
    };

    receive((event) => void answer(event));
    return () => {
      isEnded = true;
      running?.stop();
    };
  });
}

function threadRequest(
  { root, machineId, redaction: { settings: redaction } }: VerifierOptions,
  { thread, path, repair = false, removeExtra = false }: VerifyFields,
  url: string,
  token: string,
): VerifyRequest {
  const target =
    thread !== undefined ? { thread } : path !== undefined ? { path } : { all: true as const };
  return { root, machineId, redaction, target, repair, removesExtra: removeExtra, url, token };
}

/** Of progress only the numbers: what is found is told once, at the end. */
function frameOf(
  { verifyId, startedAt, report }: Running,
  message: VerifyThreadMessage | null,
): SessionsVerifyFrame {
  const frame = {
    type: 'bridge.sessions_verify' as const,
    verifyId,
    durationMs: Date.now() - startedAt,
  };
  switch (message?.type) {
    case 'done':
      return { ...frame, ...report, state: 'done' };
    case 'failed': {
      const { code, message: reason } = message;
      return { ...frame, ...report, state: 'failed', ok: false, error: { code, message: reason } };
    }
    default:
      return { ...frame, ...report, differences: [], state: 'running' };
  }
}

class Refusal extends Error {
  readonly code: ControlError['code'];

  constructor(code: ControlError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

function refusal(code: ControlError['code'], message: string): Refusal {
  return new Refusal(code, message);
}

function controlError(thrown: unknown): ControlError {
  if (thrown instanceof Refusal) return { code: thrown.code, message: thrown.message };
  return { code: 'internal', message: thrown instanceof Error ? thrown.message : String(thrown) };
}
