/**
 * The tokens of this thread alone. Codex's totals go on from the parent's in a fork, so
 * whoever adds up threads would count the parent's once for each fork. Pure.
 */
import type { TokenUsage } from '../thread-item.ts';
import { usageBetween } from '../token-usage.ts';

export class OwnUsage {
  #isFork = false;
  #isUnknowable = false;
  #inherited: TokenUsage | undefined;

  /** After the session meta. */
  begin({ isFork, isSegment }: { isFork: boolean; isSegment: boolean }): void {
    this.#isFork = isFork;
    // What was there before the fork, only the fork's first file tells.
    this.#isUnknowable = isFork && isSegment;
  }

  /** A total in a line that was copied from the parent. */
  copied(total: TokenUsage): void {
    this.#inherited = total;
  }

  /** `ofResponse` is what the last answer of the model used; undefined when nothing can be told. */
  of(total: TokenUsage, ofResponse: TokenUsage | undefined): TokenUsage | undefined {
    if (!this.#isFork) return total;
    if (this.#isUnknowable) return undefined;
    this.#inherited ??= usageBetween(ofResponse, total);
    return usageBetween(this.#inherited, total);
  }
}
