import type { Appended } from "../../ports/topics.ts";
import { unknownOutcome } from "./rejections.ts";

/** How a publish is answered: with one of the first two, and then with the last. */
interface Settle {
  readonly resolve: (appended: readonly Appended[]) => void;
  readonly reject: (error: Error) => void;
  readonly over: () => void;
}

/** One publish, whose events are on their way to their partitions, until it is answered. */
export class Call {
  readonly sinceMs: number;
  readonly #address: string;
  readonly #settle: Settle;
  readonly #appended: Appended[] = [];
  #open: number;
  #written = 0;
  #failure: Error | undefined;
  /** Whether it was answered. */
  settled = false;
  /** Whether some of it was sent. */
  sent = false;

  constructor(count: number, sinceMs: number, address: string, settle: Settle) {
    this.#open = count;
    this.sinceMs = sinceMs;
    this.#address = address;
    this.#settle = settle;
  }

  /** Whether nothing more of it should be sent. */
  get over(): boolean {
    return this.settled || this.#failure !== undefined;
  }

  /** An event of it is there. */
  stored(index: number, position: number, duplicate = false): void {
    this.#appended[index] = { position, duplicate };
    if (!duplicate) this.#written++;
    this.#done();
  }

  /** An event of it is not there, and will not be; or nobody knows, and the error says so. */
  failed(error: Error): void {
    this.#failure ??= error;
    this.#done();
  }

  /** An event of it was not sent, because of another one. */
  dropped(): void {
    this.#done();
  }

  /** Answers now, whatever is open. */
  expire(error: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.#settle.reject(this.sent ? unknownOutcome(this.#address, error.message) : error);
    this.#settle.over();
  }

  #done(): void {
    this.#open--;
    if (this.#open > 0 || this.settled) return;
    this.settled = true;
    const { resolve, reject, over } = this.#settle;
    if (!this.#failure) resolve(this.#appended);
    else reject(this.#written > 0 ? unknownOutcome(this.#address, this.#failure.message) : this.#failure);
    over();
  }
}
