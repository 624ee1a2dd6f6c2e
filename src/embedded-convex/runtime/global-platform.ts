import { AsyncLocalStorage } from 'node:async_hooks';
import { webcrypto } from 'node:crypto';
import { currentExecution } from './execution.ts';
import { refusal } from './refusal.ts';
import { realmIntrinsic } from './realm-intrinsic.ts';

/** The web platform around the language itself, which a bare realm does not have. */
export function installPlatform(global: object, env: Record<string, string>): void {
  for (const name of shared) Object.assign(global, { [name]: Reflect.get(globalThis, name) });
  Object.assign(global, {
    AsyncLocalStorage,
    process: { env: { ...env } },
    self: global,
    crypto: cryptoFor(global),
    fetch: fetchFor(global),
  });
}

/**
 * Ours, not copies. The buffers are among them because the encoders and `crypto` make and
 * take ours, and `instanceof` must hold for those too.
 */
const shared = [
  'ArrayBuffer SharedArrayBuffer DataView Int8Array Uint8Array Uint8ClampedArray Int16Array',
  'Uint16Array Int32Array Uint32Array Float16Array Float32Array Float64Array BigInt64Array',
  'BigUint64Array URL URLSearchParams TextEncoder TextDecoder TextEncoderStream',
  'TextDecoderStream atob btoa structuredClone DOMException Event EventTarget CustomEvent',
  'AbortController AbortSignal ReadableStream WritableStream TransformStream',
  'CompressionStream DecompressionStream Blob File FormData Headers Request Response CryptoKey',
].flatMap((names) => names.split(' ').filter((name) => name in globalThis));

/** Functions that need no randomness: they do the same each time, so everyone may use them. */
const deterministic = new Set(['digest', 'encrypt', 'decrypt', 'sign', 'verify', 'importKey']);
for (const name of ['exportKey', 'deriveBits', 'deriveKey', 'wrapKey', 'unwrapKey']) {
  deterministic.add(name);
}

function cryptoFor(global: object) {
  const RealmError = realmIntrinsic(global, 'Error');
  const checkRandomness = (): void => {
    if (currentExecution.getStore()?.kind === 'action') return;
    throw new RealmError(refusal('cryptographic randomness'));
  };
  const subtle = new Proxy(webcrypto.subtle, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => {
        if (!deterministic.has(String(name))) checkRandomness();
        const work: Promise<unknown> = Reflect.apply(method, target, args);
        // It runs on another thread: a run that awaits it has not come to its end.
        return currentExecution.getStore()?.hold(work) ?? work;
      };
    },
  });
  return {
    subtle,
    getRandomValues: (array: Parameters<typeof webcrypto.getRandomValues>[0]) => {
      checkRandomness();
      return webcrypto.getRandomValues(array);
    },
    randomUUID: () => {
      checkRandomness();
      return webcrypto.randomUUID();
    },
  };
}

function fetchFor(global: object): typeof fetch {
  const RealmError = realmIntrinsic(global, 'Error');
  const RealmPromise = realmIntrinsic(global, 'Promise');
  return (input, init) =>
    currentExecution.getStore()?.kind === 'action'
      ? fetch(input, init)
      : RealmPromise.reject(new RealmError(refusal('fetch()')));
}
