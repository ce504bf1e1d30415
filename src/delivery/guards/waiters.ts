/** Who waits at a guard, in the order of arrival: a lane, or a held key. Each waits once, however often it asks. */
export class Waiters {
  readonly #wakes = new Map<object, () => void>();

  get size(): number {
    return this.#wakes.size;
  }

  add(who: object, wake: () => void): void {
    // Whoever asks again keeps its place.
    this.#wakes.set(who, wake);
  }

  delete(who: object): void {
    this.#wakes.delete(who);
  }

  /** Wakes the first so many; they ask again, and wait behind the others if they must. */
  wake(most: number = Number.POSITIVE_INFINITY): void {
    const woken: (() => void)[] = [];
    for (const [who, wake] of this.#wakes) {
      if (woken.length >= most) break;
      this.#wakes.delete(who);
      woken.push(wake);
    }
    for (const wake of woken) wake();
  }
}
