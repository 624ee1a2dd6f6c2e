/** A snapshot that cannot be taken over as it is; the message says what to do. */
export class SnapshotError extends Error {
  readonly code: 'SnapshotInvalid' | 'DatabaseNotEmpty';

  constructor(code: SnapshotError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SnapshotError';
    this.code = code;
  }
}
