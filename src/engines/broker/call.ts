import type { Appended } from "../../ports/topics.ts";
import { unknownOutcome } from "./rejections.ts";

/** Whose calls they are. */
export interface CallHost {
  readonly address: string;
  /** The call is answered. */
  over(call: Call): void;
}

/** One publish, whose events are on their way to their partitions, until it is answered. */
export class Call {
  readonly sinceMs: number;
  readonly #host: CallHost;
  readonly #resolve: (appended: readonly Appended[]) => void;
  readonly #reject: (error: Error) => void;
  readonly #appended: Appended[] = [];
  #open: number;
  #written = 0;
  #failure: Error | undefined;
  /** Where it stands in `Calls`. */
  place = -1;
  /** Whether it was answered. */
  settled = false;
  /** Whether some of it was sent. */
  sent = false;

  constructor(
    count: number,
    sinceMs: number,
    host: CallHost,
    resolve: (appended: readonly Appended[]) => void,
    reject: (error: Error) => void,
  ) {
    this.#open = count;
    this.sinceMs = sinceMs;
    this.#host = host;
    this.#resolve = resolve;
    this.#reject = reject;
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
    this.#reject(this.sent ? unknownOutcome(this.#host.address, error.message) : error);
    this.#host.over(this);
  }

  #done(): void {
    this.#open--;
    if (this.#open > 0 || this.settled) return;
    this.settled = true;
    if (!this.#failure) this.#resolve(this.#appended);
    else this.#reject(this.#written > 0 ? unknownOutcome(this.#host.address, this.#failure.message) : this.#failure);
    this.#host.over(this);
  }
}
