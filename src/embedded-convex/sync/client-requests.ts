import type {
  ActionResult,
  Executor,
  FunctionRequest,
  MutationRequest,
  MutationResult,
} from '../executor.ts';
import { SessionError } from './session-error.ts';

interface RequestHandlers {
  /** A request could not be run at all, which is not the function's own failure. */
  onFailure(error: unknown): void;
  /** No mutation runs or waits any more. */
  onIdle(): void;
}

/** The mutations and actions of one connection. */
export class ClientRequests {
  readonly #executor: Executor;
  readonly #handlers: RequestHandlers;
  #mutations: Array<() => Promise<void>> = [];
  #mutating = false;
  #roomMade: PromiseWithResolvers<void> | null = null;
  #actions = 0;
  /** What is in the executor; these promises do not reject. */
  readonly #running = new Set<Promise<void>>();

  constructor(executor: Executor, handlers: RequestHandlers) {
    this.#executor = executor;
    this.#handlers = handlers;
  }

  get isMutating(): boolean {
    return this.#mutating;
  }

  /** null: another mutation may come. Otherwise resolves when one may. */
  get room(): Promise<void> | null {
    if (this.#mutations.length < maxWaiting) return null;
    this.#roomMade ??= Promise.withResolvers<void>();
    return this.#roomMade.promise;
  }

  /** One at a time, in the order of the calls. */
  mutate(request: MutationRequest, answer: (result: MutationResult) => void): void {
    this.#mutations.push(async () => answer(await this.#executor.mutation(request)));
    if (!this.#mutating) this.#track(this.#runMutations());
  }

  /** At once, beside everything else. Throws a `SessionError` when too many run. */
  act(request: FunctionRequest, answer: (result: ActionResult) => void): void {
    if (this.#actions >= maxWaiting) throw tooManyActions();
    this.#actions += 1;
    this.#track(
      this.#executor
        .action(request)
        .then(answer)
        .catch((error: unknown) => this.#handlers.onFailure(error))
        .finally(() => {
          this.#actions -= 1;
        }),
    );
  }

  dropWaiting(): void {
    this.#mutations = [];
    this.#makeRoom();
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
        this.#makeRoom();
        await run();
      }
    } catch (error) {
      this.dropWaiting();
      this.#handlers.onFailure(error);
    } finally {
      this.#mutating = false;
      this.#handlers.onIdle();
    }
  }

  #makeRoom(): void {
    this.#roomMade?.resolve();
    this.#roomMade = null;
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}

/** Convex's own limit of operations that one connection may have waiting. */
const maxWaiting = 1000;

function tooManyActions(): SessionError {
  return SessionError.overloaded(
    'TooManyConcurrentActions',
    `Only ${maxWaiting} actions may run for one connection`,
  );
}
