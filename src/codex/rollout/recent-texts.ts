/** How many lines may lie between the two copies of a text; in practice they are neighbours. */
const MAX_RECENT = 32;

/** Texts that were emitted and whose second copy may still come. */
export class RecentTexts {
  readonly #texts: string[] = [];

  add(text: string): void {
    this.#texts.push(normalised(text));
    if (this.#texts.length > MAX_RECENT) this.#texts.shift();
  }

  /** True when the text is among them; once for each time that it was added. */
  take(text: string): boolean {
    const index = this.#texts.indexOf(normalised(text));
    if (index !== -1) this.#texts.splice(index, 1);
    return index !== -1;
  }
}

function normalised(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
