/**
 * Keeps publishes of one process to a topic in the order of the calls while some of them wait: for the declaration of a topic,
 * or for a gate. One that goes to several topics may wait for one of them, and those to the others must not overtake it.
 */
export class PublishOrder {
  /** By topic: resolves when the last one that waits in it is on its way. */
  readonly #last = new Map<string, Promise<void>>();

  /** Whether somebody waits in this topic. */
  isBusy(topic: string): boolean {
    return this.#last.size > 0 && this.#last.has(topic);
  }

  /**
   * Waits behind whoever waits in these topics, then goes on: at once where nobody does. Those who come later wait until `leave`
   * is called, which is to be done as soon as it is on its way; where it fails before, that is done for it.
   */
  async queueUp<Result>(topics: ReadonlySet<string>, goOn: (leave: () => void) => Promise<Result>): Promise<Result> {
    const { promise: place, resolve } = Promise.withResolvers<void>();
    const before: Promise<void>[] = [];
    for (const topic of topics) {
      const last = this.#last.get(topic);
      if (last) before.push(last);
      this.#last.set(topic, place);
    }
    const leave = (): void => {
      for (const topic of topics) if (this.#last.get(topic) === place) this.#last.delete(topic);
      resolve();
    };
    try {
      if (before.length > 0) await Promise.all(before);
      return await goOn(leave);
    } finally {
      leave();
    }
  }
}
