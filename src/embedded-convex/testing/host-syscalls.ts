import { currentExecution } from '../runtime/execution.ts';
import { createSyscalls } from '../runtime/global-syscalls.ts';
import { convexTestWording } from './convex-test-wording.ts';
import { currentCall } from './host-call.ts';

/**
 * Gives functions of our own realm the engine's `Convex`. Outside of them the global stays what
 * it was, so that another implementation in the same process keeps working.
 */
export function installHostSyscalls(): void {
  if (isInstalled) return;
  isInstalled = true;
  const ours = hostSyscalls();
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Convex');
  let theirs: unknown = before?.value;
  Object.defineProperty(globalThis, 'Convex', {
    configurable: true,
    get: () => {
      if (currentExecution.getStore() !== undefined) return ours;
      return before?.get === undefined ? theirs : before.get.call(globalThis);
    },
    set: (value: unknown) => {
      if (before?.set === undefined) theirs = value;
      else before.set.call(globalThis, value);
    },
  });
}

let isInstalled = false;

function hostSyscalls() {
  const engine = createSyscalls(globalThis, (error) => convexTestWording(error.message));
  return {
    ...engine,
    asyncSyscall: async (operation: string, args: string): Promise<string> =>
      answerHere(operation) ?? engine.asyncSyscall(operation, args),
  };
}

/** What a test is told of the world around it, where there is no server. */
function answerHere(operation: string): string | null {
  const kind = currentExecution.getStore()?.kind;
  if (operation === '1.0/getDeploymentMetadata') return deployment;
  if (operation !== '1.0/getRequestMetadata') return null;
  if (kind === 'query') {
    throw new Error('getRequestMetadata() is available in mutations and actions only.');
  }
  return JSON.stringify(currentCall.getStore()?.request ?? null);
}

/** As in convex-test. */
const deployment = JSON.stringify({ name: 'test', region: null, class: 's16' });
