/** `oa-bridge verify`: whether Convex holds what the session files hold, and repairs it. */
import { resolve } from 'node:path';
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import type { BridgeConnection } from '../control/connect-bridge.ts';
import type { SessionsVerifyFrame } from '../control/verify-frames.ts';
import { BridgeError } from '../errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';
import { showVerification } from './show-verification.ts';

export interface VerifyFlags {
  all?: boolean;
  repair?: boolean;
  removeExtra?: boolean;
  json?: boolean;
}

/** @param target a thread's id, or the path of a session file; absent with `all` */
export async function verify(
  config: Config,
  target: string | undefined,
  { all = false, repair = false, removeExtra = false, json = false }: VerifyFlags,
): Promise<ExitCode> {
  if (all === (target !== undefined)) {
    throw new BridgeError('arguments_invalid', 'give a thread, a session file, or --all');
  }
  if (removeExtra && !repair) {
    throw new BridgeError('arguments_invalid', '--remove-extra needs --repair');
  }
  const bridge = await connectLocalBridge(config);
  try {
    const fields = { ...targetFields(target), repair, removeExtra };
    const report = await finished(bridge, fields);
    const { error } = report;
    if (json) console.log(JSON.stringify(report, null, 2));
    else if (error === undefined || report.files.done > 0) console.log(showVerification(report));
    else process.stderr.write(`oa-bridge: ${error.message} [${error.code}]\n`);
    return exitCode(report);
  } finally {
    bridge.close();
  }
}

function targetFields(target: string | undefined) {
  if (target === undefined) return { all: true as const };
  const isPath = /[/\\]|\.jsonl(\.zst)?$/.test(target);
  return isPath ? { path: resolve(target) } : { thread: target };
}

/** Asks for it, shows how far it is, and resolves with its last frame. */
async function finished(
  bridge: BridgeConnection,
  fields: ReturnType<typeof targetFields> & { repair: boolean; removeExtra: boolean },
): Promise<SessionsVerifyFrame> {
  const frames = new Map<string, SessionsVerifyFrame>();
  const end = Promise.withResolvers<SessionsVerifyFrame>();
  let verifyId: string | undefined;
  const look = () => {
    const frame = frames.get(verifyId ?? '');
    if (frame === undefined) return;
    showProgress(frame);
    if (frame.state !== 'running') end.resolve(frame);
  };
  bridge.on('bridge.sessions_verify', (frame) => {
    frames.set(frame.verifyId, frame);
    look();
  });
  // The first Ctrl-C ends the verification, a second one only us.
  process.once('SIGINT', () => {
    bridge.request('sessions.verify', { cancel: true }).catch(() => {});
  });
  ({ verifyId } = await bridge.request('sessions.verify', fields));
  look();
  const lost = bridge.closed.then(() => {
    throw new BridgeError('bridge_unreachable', 'it ended before the verification did');
  });
  return await Promise.race([end.promise, lost]);
}

/** On a terminal only, one line that changes. */
function showProgress({ state, files, bytes, counts }: SessionsVerifyFrame): void {
  if (!process.stderr.isTTY) return;
  const share = bytes.total === 0 ? 0 : Math.floor((100 * bytes.done) / bytes.total);
  const found = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const line = `${share} %  ${files.done} of ${files.total} files  ${found} differences`;
  process.stderr.write(`\r\u001B[K${state === 'running' ? styleText('dim', line) : ''}`);
}

/** Nothing can be verified that is called so. */
const TARGET_ERRORS: ReadonlySet<string> = new Set(['thread_unknown', 'session_unreadable']);

function exitCode({ state, ok, error }: SessionsVerifyFrame): ExitCode {
  if (state === 'cancelled') return EXIT.interrupted;
  if (error?.code === 'convex_unavailable') return EXIT.unreachable;
  // Not 1, which says that they differ.
  if (state === 'failed' && TARGET_ERRORS.has(error?.code ?? '')) return EXIT.usage;
  return ok ? EXIT.done : EXIT.failed;
}
