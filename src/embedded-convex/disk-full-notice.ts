import { EngineError } from './engine-error.ts';

/** Where its two lines go. */
export interface DiskFullOutput {
  /** Nothing can be written any more. */
  full(error: EngineError): void;
  /** Something was written again. */
  recovered(): void;
}

/** Says once that the disk is full, however many mutations fail by it, and once that it has room. */
export class DiskFullNotice {
  readonly #output: DiskFullOutput;
  #isFull = false;

  constructor(output: DiskFullOutput) {
    this.#output = output;
  }

  /** Whether the error is one of a full disk, and so was said or is known already. */
  take(error: unknown): boolean {
    if (!isDiskFull(error)) return false;
    if (!this.#isFull) this.#output.full(error);
    this.#isFull = true;
    return true;
  }

  committed(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#output.recovered();
  }
}

export function isDiskFull(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'DiskFull';
}
