import type { TidingsError } from "../../errors/tidings-error.ts";
import type { Connection } from "./connection.ts";
import { storeReplaced } from "./failure.ts";
import type { Keys } from "./keys.ts";
import { boundsScript } from "./scripts/bounds.ts";

/** So many streams are looked at when a connection was made anew: those that were used last. */
const streamsMax = 256;

/**
 * Watches that the server still holds what it has shown or acknowledged. One that was emptied, restored, or promoted from a
 * replica may have lost the last events, and would give their positions to others, which members would then skip. So they stop
 * for good, and begin anew from what the store holds when they are started again.
 */
export class StoreWatch {
  readonly #address: string;
  readonly #keys: Keys;
  /** By stream, the place behind the last event that was seen; those that were used last stand last. */
  readonly #ends = new Map<string, number>();
  #store: string | undefined;
  #replaced: TidingsError | undefined;

  constructor(address: string, keys: Keys) {
    this.#address = address;
    this.#keys = keys;
  }

  /** The id of the store that the engine was opened on. */
  get store(): string {
    return this.#store ?? "";
  }

  opened(store: string): void {
    this.#store = store;
  }

  /** An event was seen before this position; nothing at or behind it will ever be at another one. */
  seen(stream: string, next: number): void {
    if (next <= (this.#ends.get(stream) ?? 0)) return;
    this.#ends.delete(stream);
    this.#ends.set(stream, next);
  }

  /** The position behind the last event that was seen of a stream: to be asked before the server is, for more may come. */
  endOf(stream: string): number {
    return this.#ends.get(stream) ?? 0;
  }

  /** The stream ends here, and was seen to go so far before. Throws TIDINGS_STORE_REPLACED when it was longer. */
  compare(next: number, seen: number): void {
    if (next < seen) throw this.stop("it was set back to an earlier state");
  }

  /** To be called with each connection before it is used. Throws TIDINGS_STORE_REPLACED. */
  async check(connection: Connection): Promise<void> {
    this.throwIfReplaced();
    if (this.#store === undefined) return;
    // What is seen while this is asked may lie behind the answer.
    const ends = [...this.#ends].slice(-streamsMax);
    const [store, bounds] = await Promise.all([
      connection.send<string | null>(["HGET", this.#keys.meta, "store"]),
      ends.length === 0 ? [] : connection.run<number[]>(boundsScript, ends.map(([stream]) => stream), []),
    ]); // prettier-ignore
    if (store !== this.#store) throw this.another();
    for (const [index, [, end]] of ends.entries())
      if ((bounds[2 * index + 1] ?? 0) - 1 < end) throw this.stop("it was set back to an earlier state");
  }

  another(): TidingsError {
    return this.stop("it is another store, or was made anew");
  }

  stop(why: string): TidingsError {
    return (this.#replaced ??= storeReplaced(this.#address, why));
  }

  /** Set once another store was found; nothing is done any more. */
  replaced(): TidingsError | undefined {
    return this.#replaced;
  }

  throwIfReplaced(): void {
    if (this.#replaced) throw this.#replaced;
  }
}
