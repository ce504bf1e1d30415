// What is wrong with an image.

export class Findings {
  /** Acknowledged or seen, and not there. */
  lost = 0;
  /** Everything else that must not be. */
  violations = 0;
  /** The first of them, in words. */
  readonly words: string[] = [];

  addLost(words: string): void {
    this.lost++;
    this.#note(`lost: ${words}`);
  }

  add(words: string): void {
    this.violations++;
    this.#note(words);
  }

  /** Adds when the two differ. */
  same(what: string, found: unknown, expected: unknown): void {
    const [there, wanted] = [JSON.stringify(found), JSON.stringify(expected)];
    if (there !== wanted) this.add(`${what} is ${there}, not ${wanted}`);
  }

  get none(): boolean {
    return this.lost === 0 && this.violations === 0;
  }

  #note(words: string): void {
    if (this.words.length < 20) this.words.push(words);
  }
}
