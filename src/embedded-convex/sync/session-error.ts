/** Why the server ends a connection, and what it tells the client before. */
export class SessionError extends Error {
  readonly kind: 'fatal' | 'overloaded' | 'internal';
  readonly code: string;

  private constructor(kind: SessionError['kind'], code: string, message: string) {
    super(message);
    this.name = 'SessionError';
    this.kind = kind;
    this.code = code;
  }

  /** The client's own mistake: it is told by a FatalError and must not try again. */
  static fatal(code: string, message: string): SessionError {
    return new SessionError('fatal', code, message);
  }

  /** Too much at once: the client comes back after a pause. */
  static overloaded(code: string, message: string): SessionError {
    return new SessionError('overloaded', code, message);
  }

  /** The client learns no more than that, and comes back. */
  static internal(message: string): SessionError {
    return new SessionError('internal', 'InternalServerError', message);
  }
}
