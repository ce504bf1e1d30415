/** So many empty places at the front are worth a copy of the rest. */
const emptyMax = 1024;

/**
 * Things under numbers that rise, which go mostly in the order in which they came. A Map would do, and cost more: see `Calls`.
 */
export class Row<Thing> {
  #things: (Thing | undefined)[] = [];
  /** The number of the first place. */
  #first = 1;
  /** Places at the front that are empty. */
  #empty = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds it at the end; answers its number, greater than all before. */
  add(thing: Thing): number {
    this.#size++;
    return this.#first + this.#things.push(thing) - 1;
  }

  get(number: number): Thing | undefined {
    return this.#things[number - this.#first];
  }

  /** The one that has been there for longest. */
  get first(): Thing | undefined {
    return this.#things[this.#empty];
  }

  /** Whether there was something of that number. */
  delete(number: number): boolean {
    const at = number - this.#first;
    if (this.#things[at] === undefined) return false;
    // Emptied, so that nothing is kept by a place that is not used any more.
    this.#things[at] = undefined;
    this.#size--;
    if (at === this.#empty) this.#trim();
    return true;
  }

  /** All that are there now, in order. */
  *values(): Iterable<Thing> {
    for (const thing of this.#things.slice(this.#empty)) if (thing !== undefined) yield thing;
  }

  clear(): void {
    this.#first += this.#things.length;
    this.#things = [];
    this.#empty = 0;
    this.#size = 0;
  }

  #trim(): void {
    const { length } = this.#things;
    while (this.#empty < length && this.#things[this.#empty] === undefined) this.#empty++;
    if (this.#empty < length && (this.#empty < emptyMax || this.#empty * 2 < length)) return;
    this.#things = this.#things.slice(this.#empty);
    this.#first += this.#empty;
    this.#empty = 0;
  }
}
