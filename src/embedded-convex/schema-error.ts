/** The schema, or the data against it, is not acceptable; what was before goes on serving. */
export class SchemaError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SchemaError';
    this.code = code;
  }
}
