import type { Call } from "./call.ts";

/**
 * The calls that are not answered yet, in no order. It is a list, since a Set costs more than all the rest of a call where many come and
 * go: a table of V8 that has become too small or too empty keeps what it held and points to the one that takes its place, and
 * as soon as one such table was moved to the old generation, collections of the young one find all later ones by it, and copy
 * every call that was ever in them.
 */
export class Calls {
  readonly #open: Call[] = [];

  get size(): number {
    return this.#open.length;
  }

  add(call: Call): void {
    call.place = this.#open.push(call) - 1;
  }

  delete(call: Call): void {
    const last = this.#open.pop();
    if (last === undefined || last === call) return;
    this.#open[call.place] = last;
    last.place = call.place;
  }

  /** Those that are open now; what happens meanwhile is no matter. */
  all(): readonly Call[] {
    return this.#open.slice();
  }
}
