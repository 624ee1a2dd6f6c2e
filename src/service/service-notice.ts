/** Tells systemd that we are ready, alive and ending; elsewhere it does nothing. */
import { execa } from 'execa';

export interface ServiceNotice {
  stopping(): void;
}

/**
 * Half of `WatchdogSec` is the pace that sd_watchdog_enabled(3) recommends. Node has no
 * datagram sockets for Unix paths, so the program `systemd-notify` speaks for us.
 * @param isAlive asked before each ping; false lets the watchdog bite
 */
export function noticeService(
  isAlive: () => boolean,
  env: Readonly<Record<string, string | undefined>> = process.env,
  notify: (state: string) => Promise<unknown> = systemdNotify,
): ServiceNotice {
  if (env['NOTIFY_SOCKET'] === undefined) return { stopping: () => undefined };
  // One that is missing leaves the service "activating", which systemd tells its user.
  const tell = (state: string) => void notify(state).catch(() => undefined);
  tell('READY=1');
  const limitMs = Number(env['WATCHDOG_USEC'] ?? 0) / 1000;
  const timer =
    limitMs > 0
      ? setInterval(() => {
          if (isAlive()) tell('WATCHDOG=1');
        }, limitMs / 2).unref()
      : undefined;
  return {
    stopping() {
      clearInterval(timer);
      tell('STOPPING=1');
    },
  };
}

async function systemdNotify(state: string): Promise<void> {
  await execa('systemd-notify', [state], { stdin: 'ignore' });
}
