/** The backend as a process of its own, as the daemon starts it. */
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { functionsFolder } from './backend.ts';

export interface BackendProcess extends AsyncDisposable {
  readonly pid: number;
  /** The first line on standard output, parsed. Rejects when the process ends before. */
  readonly ready: Promise<{
    ready: true;
    url: string;
    port: number;
    instanceName: string;
    setAside?: { file: string; reason: string };
  }>;
  readonly exited: Promise<{
    exitCode: number | undefined;
    signal: string | undefined;
    stderr: string;
  }>;
  kill(signal: NodeJS.Signals): void;
  /** The first line of one of the two outputs, past or to come, that has this text in it. */
  line(text: string): Promise<string>;
  /** Writes a line to its standard input. */
  say(line: string): void;
  /** As when the parent process ends. */
  closeStdin(): void;
}

export const backendEntry = fileURLToPath(
  new URL('../../../src/embedded-convex/main.ts', import.meta.url),
);

/** Its database is `data.sqlite` in the folder. */
export function spawnBackend(folder: string, ...more: string[]): BackendProcess {
  return spawnMain('--db', join(folder, 'data.sqlite'), '--functions', functionsFolder, ...more);
}

export function spawnMain(...args: string[]): BackendProcess {
  return spawnProgram(backendEntry, ...args);
}

export function spawnProgram(program: string, ...args: string[]): BackendProcess {
  return spawnCommand(process.execPath, program, ...args);
}

export function spawnCommand(command: string, ...args: string[]): BackendProcess {
  const child = execa(command, args, { reject: false, stdin: 'pipe' });
  const lines = outputLines(child.stdout, child.stderr);
  const exited = child.then(({ exitCode, signal, stderr }) => ({ exitCode, signal, stderr }));
  const ready = Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([line]) => JSON.parse(line)),
    exited.then(({ exitCode, stderr }) => {
      throw new Error(`it ended with ${exitCode}: ${stderr}`);
    }),
  ]);
  // A test that expects the end does not wait for the beginning.
  ready.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    ready,
    exited,
    line: (text) => lines.find(text),
    kill: (signal) => void child.kill(signal),
    say: (line) => void child.stdin.write(`${line}\n`),
    closeStdin: () => void child.stdin.end(),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function outputLines(...streams: Readable[]) {
  const seen: string[] = [];
  const changed = new EventEmitter();
  for (const input of streams) {
    createInterface({ input }).on('line', (line) => {
      seen.push(line);
      changed.emit('line');
    });
  }
  return {
    async find(text: string): Promise<string> {
      for (;;) {
        const found = seen.find((line) => line.includes(text));
        if (found !== undefined) return found;
        await once(changed, 'line');
      }
    },
  };
}
