import type { Value } from 'convex/values';

/**
 * A mistake of the function that runs (not of the server): its message is shown to the
 * developer as the text of an ordinary `Error` thrown by the syscall.
 */
export class FunctionError extends Error {
  /** Upstream's short code, e.g. `InvalidArgument`. */
  readonly code: string;
  /** Present when upstream throws a ConvexError here: its `data`. */
  readonly data: Value | undefined;

  constructor(code: string, message: string, options?: ErrorOptions & { data?: Value }) {
    super(message, options);
    this.name = 'Error';
    this.code = code;
    this.data = options?.data;
  }
}
