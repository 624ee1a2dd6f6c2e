/** What a subscription of an official client was given, in order. */
import type { ConvexClient } from 'convex/browser';
import type { FunctionArgs, FunctionReference, FunctionReturnType } from 'convex/server';

export interface Seen<Value> {
  readonly values: Array<Value | Error>;
  /** Resolves with the first value or error, past or to come, that fits. */
  until(fits: (value: Value | Error) => boolean): Promise<Value | Error>;
  stop(): void;
}

export function watch<Query extends FunctionReference<'query'>>(
  client: ConvexClient,
  query: Query,
  args: FunctionArgs<Query>,
): Seen<FunctionReturnType<Query>> {
  type Value = FunctionReturnType<Query>;
  const values: Array<Value | Error> = [];
  const waiting = new Set<(value: Value | Error) => void>();
  const see = (value: Value | Error) => {
    values.push(value);
    for (const listener of waiting) listener(value);
  };
  const unsubscribe = client.onUpdate(query, args, see, see);
  return {
    values,
    until: (fits) => {
      const past = values.find(fits);
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve) => {
        const listener = (value: Value | Error) => {
          if (!fits(value)) return;
          waiting.delete(listener);
          resolve(value);
        };
        waiting.add(listener);
      });
    },
    stop: () => unsubscribe(),
  };
}
