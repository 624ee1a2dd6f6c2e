/**
 * Why the engine cannot start or cannot answer: never a function's own failure, which is a
 * `FunctionOutcome`. `code` is one of the codes below or, for the database, a `StoreErrorCode`.
 */
export class EngineError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }

  /** Any thrown value; a `code` that it carries is kept. */
  static from(thrown: unknown): EngineError {
    if (thrown instanceof EngineError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const code =
      thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
        ? thrown.code
        : engineErrorCodes.internal;
    return new EngineError(code, message, { cause: thrown });
  }
}

export const engineErrorCodes = {
  /** The functions folder or bundle is missing, does not compile, or throws when loaded. */
  functionsInvalid: 'FunctionsInvalid',
  /** The engine was closed, or it failed and could not be started again. */
  engineStopped: 'EngineStopped',
  internal: 'InternalServerError',
} as const;
