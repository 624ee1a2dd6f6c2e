/** Named places where a reply waits until the test lets it through. */
export function gates() {
  const named = new Map<string, Gate>();
  const gate = (name: string): Gate => {
    const known = named.get(name) ?? {
      reached: Promise.withResolvers<void>(),
      released: Promise.withResolvers<void>(),
    };
    named.set(name, known);
    return known;
  };
  return {
    reached: (name: string) => gate(name).reached.promise,
    release: (name: string) => gate(name).released.resolve(),
    /** Rejects when the signal is aborted. */
    waitAt: async (name: string, signal: AbortSignal): Promise<void> => {
      gate(name).reached.resolve();
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
      await Promise.race([gate(name).released.promise, aborted.promise]);
    },
  };
}

interface Gate {
  reached: PromiseWithResolvers<void>;
  released: PromiseWithResolvers<void>;
}
