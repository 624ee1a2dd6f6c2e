/** The real daemon as its user starts it: a process of its own, on temporary homes and free ports. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { connectBridge, type BridgeConnection } from '../../src/control/connect-bridge.ts';
import { openTokenSigner } from '../../src/token-signer.ts';
import { isAlive } from './processes.ts';

export interface DaemonProcess {
  readonly pid: number;
  readonly token: string;
  /** `ws://…/ws` */
  readonly controlUrl: string;
  readonly convexUrl: string;
  /** Every log record so far. */
  readonly log: readonly LogRecord[];
  connect(): Promise<BridgeConnection>;
  /** As an app gets it; before the control socket is there, as `oa-bridge token --convex` does. */
  convexToken(): Promise<string>;
  /** Resolves with the first record, past or coming, that fits. Rejects when the daemon ends without. */
  logged(fits: (record: LogRecord) => boolean): Promise<LogRecord>;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<{ exitCode: number | undefined; signal: string | undefined }>;
  /** SIGTERM, and wait. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type LogRecord = { msg?: string; level?: number; [field: string]: unknown };

export interface DaemonOptions {
  /** The folder under which both homes lie; it survives restarts of the daemon. */
  folder: string;
  env?: Record<string, string>;
  token?: string;
  /** The program; by default the one of the source tree. */
  cli?: string;
  /** A program, with its arguments, that becomes the daemon: it changes what the system allows it. */
  under?: readonly string[];
}

const sourceCli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** Starts it and waits until it serves: the control socket listens and Convex is online. */
export async function startDaemonProcess(options: DaemonOptions): Promise<DaemonProcess> {
  const daemon = spawnDaemon(options);
  const [listening, online] = await Promise.all([
    daemon.logged((record) => record.msg === 'control socket is listening'),
    daemon.logged((record) => record.msg === 'convex is online'),
  ]);
  return Object.assign(daemon, {
    controlUrl: `ws://${String(listening['address'])}/ws`,
    convexUrl: String(online['url']),
  });
}

/** Starts it without waiting for anything. */
export function spawnDaemon({
  folder,
  env = {},
  token = 'test-token-0123456789abcdef',
  cli = sourceCli,
  under = [],
}: DaemonOptions): DaemonProcess {
  const log: LogRecord[] = [];
  const waiting = new Set<(record: LogRecord) => void>();
  const command = [...under, process.execPath, cli, 'start'];
  const child = execa(command[0] ?? '', command.slice(1), {
    reject: false,
    buffer: false,
    stdin: 'ignore',
    env: {
      OPENAGENTS_HOME: join(folder, 'openagents'),
      OPENAGENTS_BIND: '127.0.0.1:0',
      OPENAGENTS_CONVEX_PORT: '0',
      OPENAGENTS_CONVEX_INTERFACE: '127.0.0.1',
      OPENAGENTS_BRIDGE_TOKEN: token,
      CODEX_HOME: join(folder, 'codex'),
      ...env,
    },
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    const record = parseRecord(line);
    log.push(record);
    for (const listener of waiting) listener(record);
  });
  const exited = child.then(({ exitCode, signal }) => ({ exitCode, signal }));
  const daemon: DaemonProcess = {
    pid: child.pid ?? 0,
    token,
    controlUrl: '',
    convexUrl: '',
    log,
    connect() {
      return connectBridge({ url: this.controlUrl, token, reconnect: false });
    },
    async convexToken() {
      if (this.controlUrl === '') {
        const { token: signed } = await openTokenSigner(join(folder, 'openagents')).sign('client');
        return signed;
      }
      const bridge = await this.connect();
      const reply = await bridge.request('convex.token');
      bridge.close();
      return reply.token;
    },
    logged(fits) {
      const past = log.find(fits);
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve, reject) => {
        void exited.then(({ exitCode }) => {
          const last = log.slice(-20).map((record) => JSON.stringify(record));
          reject(new Error(`The daemon ended (${exitCode}) before that:\n${last.join('\n')}`));
        });
        const listener = (record: LogRecord) => {
          if (!fits(record)) return;
          waiting.delete(listener);
          resolve(record);
        };
        waiting.add(listener);
      });
    },
    kill: (signal) => void child.kill(signal),
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
  return daemon;
}

/** Waits until a process with this id is gone, or has ended and only waits to be looked at. */
export async function processGone(pid: number, limitMs = 30_000): Promise<boolean> {
  const until = Date.now() + limitMs;
  while (isAlive(pid)) {
    if (Date.now() > until) return false;
    await once(AbortSignal.timeout(20), 'abort');
  }
  return true;
}

function parseRecord(line: string): LogRecord {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line };
  }
}
