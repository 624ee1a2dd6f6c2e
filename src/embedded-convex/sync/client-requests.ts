import type {
  ActionResult,
  Executor,
  FunctionRequest,
  MutationRequest,
  MutationResult,
} from '../executor.ts';
import { SessionError } from './session-error.ts';

/** The mutations and actions of one connection. */
export class ClientRequests {
  readonly #executor: Executor;
  readonly #onFailure: (error: unknown) => void;
  #mutations: Array<() => Promise<void>> = [];
  #mutating = false;
  #actions = 0;
  /** What is in the executor; these promises do not reject. */
  readonly #running = new Set<Promise<void>>();

  /** `onFailure`: a request could not be run at all, which is not the function's own failure. */
  constructor(executor: Executor, onFailure: (error: unknown) => void) {
    this.#executor = executor;
    this.#onFailure = onFailure;
  }

  /** One at a time, in the order of the calls. Throws a `SessionError` when too many wait. */
  mutate(request: MutationRequest, answer: (result: MutationResult) => void): void {
    if (this.#mutations.length >= maxWaiting) throw tooMany('Mutations');
    this.#mutations.push(async () => answer(await this.#executor.mutation(request)));
    if (!this.#mutating) this.#track(this.#runMutations());
  }

  /** At once, beside everything else. Throws a `SessionError` when too many run. */
  act(request: FunctionRequest, answer: (result: ActionResult) => void): void {
    if (this.#actions >= maxWaiting) throw tooMany('Actions');
    this.#actions += 1;
    this.#track(
      this.#executor
        .action(request)
        .then(answer)
        .catch(this.#onFailure)
        .finally(() => {
          this.#actions -= 1;
        }),
    );
  }

  dropWaiting(): void {
    this.#mutations = [];
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #runMutations(): Promise<void> {
    this.#mutating = true;
    try {
      // One by one: when one could not run at all, those after it must not have run either,
      // because the client sends all of them again, in order.
      for (let run = this.#mutations.shift(); run !== undefined; run = this.#mutations.shift()) {
        await run();
      }
    } catch (error) {
      this.dropWaiting();
      this.#onFailure(error);
    } finally {
      this.#mutating = false;
    }
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}

/** Convex's own limit of operations that one connection may have waiting. */
const maxWaiting = 1000;

function tooMany(what: 'Mutations' | 'Actions'): SessionError {
  return SessionError.overloaded(
    `TooManyConcurrent${what}`,
    `Only ${maxWaiting} ${what.toLowerCase()} may wait on one connection`,
  );
}
