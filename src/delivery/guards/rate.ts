import type { CancelTimer } from "../../platform/clock.ts";
import type { State } from "../../ports/state.ts";
import { collections } from "../records.ts";
import type { RateOptions } from "./dependency.ts";
import type { GuardHost } from "./guard.ts";
import type { Waiters } from "./waiters.ts";

/** The bucket as all processes share it: when it will be full, were nothing more taken (the generic cell rate algorithm). */
interface RateDocument {
  readonly fullAtMs: number;
}

/** How long to wait when the store could not be asked, in milliseconds. */
const againMs = 500;

/**
 * A token bucket in the store. A process takes tokens in slices of up to a tenth of a second's worth, so that the store is not
 * asked for every event; what it has not used by the time that the slice was meant for lapses, so that tokens cannot be hoarded.
 */
export class Rate {
  readonly #name: string;
  readonly #host: GuardHost;
  readonly #waiters: Waiters;
  readonly #isOfUse: () => boolean;
  readonly #gapMs: number;
  readonly #burst: number;
  readonly #sliceMax: number;
  #tokens = 0;
  /** Number of the slice that they are of. */
  #slice = 0;
  #lapsesAt = Number.NEGATIVE_INFINITY;
  /** How many of the last slice were used: the next one is made to fit. */
  #used = 0;
  #asking = false;
  #stopped = false;
  #cancelLapse: CancelTimer | undefined;

  /** `isOfUse`: whether a token would let anything begin, or a breaker is in the way. */
  constructor(
    name: string,
    { perSecond, burst }: RateOptions,
    host: GuardHost,
    waiters: Waiters,
    isOfUse: () => boolean,
  ) {
    this.#name = name;
    this.#isOfUse = isOfUse;
    this.#host = host;
    this.#waiters = waiters;
    this.#gapMs = 1000 / perSecond;
    this.#burst = burst ?? Math.max(1, perSecond);
    this.#sliceMax = Math.max(1, Math.min(Math.floor(this.#burst), Math.ceil(perSecond / 10)));
  }

  /** Whether something may begin now; if not, the store is asked, and waiters are woken when it gives. */
  has(): boolean {
    if (this.#tokens > 0 && this.#host.platform.clock.monotonic() < this.#lapsesAt) return true;
    this.#tokens = 0;
    return false;
  }

  /** Something begins. Only after `has`. Returns the slice of which it has used a token. */
  take(): number {
    const slice = this.#slice;
    this.#tokens -= 1;
    this.#used += 1;
    if (this.#tokens === 0) this.#askIfWanted();
    return slice;
  }

  /** What was taken was not needed. It lapses with its slice: in a later one it would be more than that one may give. */
  giveBack(slice: number): void {
    if (slice !== this.#slice || this.#host.platform.clock.monotonic() >= this.#lapsesAt) return;
    this.#used -= 1;
    this.#tokens += 1;
    this.#waiters.wake(1);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelLapse?.();
  }

  /** Tokens that nothing can use would be missed where something can: by the one process that may probe. */
  #askIfWanted(): void {
    if (this.#waiters.size > 0 && this.#isOfUse()) this.ask();
  }

  /** Asks the store for the next slice, unless that is under way. */
  ask(): void {
    if (this.#asking || this.#stopped) return;
    this.#asking = true;
    this.#askOnce().then(
      (waitMs) => this.#answered(waitMs),
      (error: unknown) => {
        this.#host.log.warn({ dependency: this.#name, err: error }, "the shared rate limit could not be read");
        this.#answered(againMs);
      },
    );
  }

  /** `waitMs`: nothing was to be had, and will not be before that time. */
  #answered(waitMs: number): void {
    const { clock } = this.#host.platform;
    if (waitMs > 0) {
      clock.after(
        waitMs,
        () => {
          this.#asking = false;
          this.#askIfWanted();
        },
        true,
      );
      return;
    }
    this.#asking = false;
    this.#cancelLapse?.();
    this.#cancelLapse = clock.after(this.#lapsesAt - clock.monotonic(), () => {
      this.#tokens = 0;
      this.#askIfWanted();
    });
    this.#waiters.wake(this.#tokens);
  }

  async #askOnce(): Promise<number> {
    const { engine, platform } = this.#host;
    const state = engine.state as State;
    const wanted = Math.min(this.#sliceMax, Math.max(this.#waiters.size, this.#used + Math.ceil(this.#used / 2), 1));
    for (let tries = 0; ; tries++) {
      const [stored] = await state.get(collections.rates, [this.#name]);
      const nowMs = platform.clock.now();
      const spanMs = this.#burst * this.#gapMs;
      const before = stored ? (JSON.parse(stored.value) as RateDocument).fullAtMs : nowMs;
      // It is never further away than the whole bucket. If it is, somebody has set the clock back: it begins anew, empty.
      const isBack = before > nowMs + spanMs + 1;
      const fullAtMs = isBack ? nowMs + spanMs : Math.max(before, nowMs);
      // A little more, so that what is due now is not missed for the last digit of a fraction.
      const there = Math.floor((nowMs + spanMs - fullAtMs) / this.#gapMs + 1e-6);
      const waitMs = Math.max(1, Math.ceil(fullAtMs + this.#gapMs - spanMs - nowMs));
      if (there < 1 && !isBack) return waitMs;
      const granted = Math.max(0, Math.min(wanted, there));
      const document: RateDocument = { fullAtMs: fullAtMs + granted * this.#gapMs };
      const askedAt = platform.clock.monotonic();
      const outcome = await engine.transact?.({
        checks: [{ collection: collections.rates, key: this.#name, version: stored?.version ?? 0 }],
        documents: [{ collection: collections.rates, key: this.#name, value: JSON.stringify(document) }],
        durable: false,
      });
      if (outcome?.committed) {
        if (granted === 0) return waitMs;
        this.#tokens = granted;
        this.#slice += 1;
        this.#used = 0;
        this.#lapsesAt = askedAt + Math.max(100, this.#gapMs * this.#sliceMax);
        return 0;
      }
      // Others are faster: give them room.
      if (tries >= 3) return Math.ceil(platform.random.next() * 20) + 1;
    }
  }
}
