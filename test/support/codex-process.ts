/** The process actor with a program of the test's own in the place of Codex. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assign, createActor, setup } from 'xstate';
import { createAppServerProcess } from '../../src/actors/codex-process/app-server-process.ts';
import type { CodexProcessOptions } from '../../src/actors/codex-process/codex-child.ts';
import { createExecProcess } from '../../src/actors/codex-process/exec-process.ts';
import type {
  CodexProcessCommand,
  CodexProcessEvent,
  KillSignal,
  RunPlan,
} from '../../src/machines/codex-process-events.ts';

export interface ProcessUnderTest {
  /** What it has told so far, oldest first. */
  events: CodexProcessEvent[];
  /** Resolves with the first event, past or coming, that fits. */
  told<Type extends CodexProcessEvent['type']>(
    type: Type,
    fits?: (event: Extract<CodexProcessEvent, { type: Type }>) => boolean,
  ): Promise<Extract<CodexProcessEvent, { type: Type }>>;
  signal(signal: KillSignal): void;
  tell(command: CodexProcessCommand): void;
  lines(): string[];
  /** Ends the actor, and so the process. */
  stop(): void;
}

export const plan: RunPlan = {
  runId: 'r1',
  threadId: 't1',
  driver: 'exec',
  prompt: 'hello',
  cwd: process.cwd(),
  sandbox: 'danger-full-access',
  approvals: 'never',
  approvalTimeout: 60_000,
  stallAfter: 600_000,
  runLimit: 86_400_000,
};

const noGuard: CodexProcessOptions['guard'] = {
  add: () => Promise.resolve(),
  remove: () => {},
};

/** A program made of shell commands; it ignores Codex's arguments. */
export function shellProgram(folder: string, ...lines: string[]): string {
  const file = join(folder, 'codex.sh');
  writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'));
  chmodSync(file, 0o755);
  return file;
}

export function startProcess(
  options: Partial<CodexProcessOptions> & Pick<CodexProcessOptions, 'bin'>,
  planned: Partial<RunPlan> = {},
): ProcessUnderTest {
  const events: CodexProcessEvent[] = [];
  const waiting = new Set<(event: CodexProcessEvent) => void>();
  const create = planned.driver === 'app-server' ? createAppServerProcess : createExecProcess;
  const logic = create({
    extraArguments: [],
    env: { PATH: process.env['PATH'] ?? '' },
    guard: noGuard,
    ...options,
  });
  const listener = setup({
    types: { events: {} as CodexProcessEvent },
    actors: { logic },
    actions: {
      keep: assign(({ event }) => {
        events.push(event);
        for (const check of waiting) check(event);
        return {};
      }),
    },
  }).createMachine({
    context: {},
    invoke: { src: 'logic', id: 'logic', input: { plan: { ...plan, ...planned } } },
    on: { '*': { actions: 'keep' } },
  });
  const actor = createActor(listener).start();
  const tell = (command: CodexProcessCommand) =>
    actor.getSnapshot().children['logic']?.send(command);
  return {
    events,
    told(type, fits = () => true) {
      type Wanted = Extract<CodexProcessEvent, { type: typeof type }>;
      const isWanted = (event: CodexProcessEvent): event is Wanted =>
        event.type === type && fits(event as Wanted);
      const past = events.find(isWanted);
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve) => {
        const check = (event: CodexProcessEvent) => {
          if (!isWanted(event)) return;
          waiting.delete(check);
          resolve(event);
        };
        waiting.add(check);
      });
    },
    signal: (signal) => tell({ type: 'process.signal', signal }),
    tell,
    lines: () => events.flatMap((event) => (event.type === 'process.lines' ? event.lines : [])),
    stop: () => void actor.stop(),
  };
}
