/**
 * A function ended with an error: its own, or a check's (arguments, returns, visibility). The
 * message is what the caller is shown: `Uncaught Error: …` and a line for each frame.
 */
export class FunctionFailure extends Error {
  /** Convex JSON text; present for a ConvexError only. */
  readonly data: string | undefined;

  constructor(message: string, data?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FunctionFailure';
    this.data = data;
  }
}
