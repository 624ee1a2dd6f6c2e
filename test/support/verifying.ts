/** A verification as a client of the control socket asks for it, and sees its end. */
import { sessionsVerifyFrame, type SessionsVerifyFrame } from '../../src/control/verify-frames.ts';
import type { DaemonProcess } from './daemon-process.ts';

interface VerifyFields {
  all?: true;
  thread?: string;
  path?: string;
  repair?: boolean;
  removeExtra?: boolean;
}

/** Rejects with the ControlFailure of a verification that is refused at once. */
export async function verified(
  daemon: DaemonProcess,
  fields: VerifyFields,
): Promise<SessionsVerifyFrame> {
  const bridge = await daemon.connect();
  try {
    const frames: SessionsVerifyFrame[] = [];
    const ended = Promise.withResolvers<SessionsVerifyFrame>();
    let verifyId: string | undefined;
    const look = () => {
      const last = frames.find((frame) => frame.verifyId === verifyId && frame.state !== 'running');
      if (last !== undefined) ended.resolve(last);
    };
    bridge.onFrame((frame) => {
      const parsed = sessionsVerifyFrame.safeParse(frame);
      if (parsed.success) frames.push(parsed.data);
      look();
    });
    verifyId = sessionsVerifyFrame.parse(await bridge.request('sessions.verify', fields)).verifyId;
    look();
    return await ended.promise;
  } finally {
    bridge.close();
  }
}
