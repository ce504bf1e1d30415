import { messageOf } from "../../event/validate.ts";
import { ownerOf } from "../../membership/names.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Document, State } from "../../ports/state.ts";
import { collections } from "../records.ts";
import { type BreakerDocument, closed, halfOpened, newBreaker, opened } from "./breaker-document.ts";
import { type BreakerOptions, openMsDefault, tripsOf } from "./dependency.ts";
import type { GuardHost } from "./guard.ts";
import { Outcomes } from "./outcomes.ts";
import { Probe, probeLease } from "./probe.ts";
import type { Waiters } from "./waiters.ts";

/** How long to wait before the store is asked again: for a probe that another process makes, and after it could not be written. */
const [lookAgainMs, retryMs] = [1000, 200];
/** How many are woken when a probe is to be had: one of them takes it. */
const offeredTo = 4;

/**
 * A circuit breaker as this process has it. Its state lies in the store and is changed there only, in transactions that check
 * what it was before; here it opens at once. Whoever holds the lease of its probe may send one delivery through.
 */
export class Breaker {
  readonly name: string;
  readonly #host: GuardHost;
  readonly #options: BreakerOptions;
  readonly #waiters: Waiters;
  readonly #outcomes: Outcomes;
  #document: BreakerDocument;
  #version = 0;
  #probe: Probe | undefined;
  /** When a probe is due by the monotonic clock, for the `probeAtMs` beside it. */
  #due: { readonly probeAtMs: number; readonly monotonicMs: number } | undefined;
  /** Changes of the store by this process, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #working = 0;
  #cancelTimer: CancelTimer | undefined;
  #stopped = false;
  #stopWaiting: () => void = () => undefined;

  constructor(name: string, options: BreakerOptions, host: GuardHost, waiters: Waiters) {
    this.name = name;
    this.#host = host;
    this.#options = options;
    this.#waiters = waiters;
    this.#outcomes = new Outcomes(options, host.platform.clock);
    this.#document = newBreaker(tripsOf(options), host.platform.clock.now(), host.by);
  }

  get document(): BreakerDocument {
    return this.#document;
  }

  isClosed(): boolean {
    return this.#document.state === "closed";
  }

  /** Whether something may begin now. */
  admits(): boolean {
    return this.isClosed() || this.#probe?.isOffered === true;
  }

  /** Something begins, as a probe unless the breaker is closed. Only after `admits`. */
  enter(): Probe | undefined {
    if (this.isClosed()) return undefined;
    this.#probe?.take();
    return this.#probe;
  }

  /** Sees to it that whoever waits is woken in time. */
  awaited(leastMs: number = 0): void {
    if (this.isClosed() || this.#probe || this.#cancelTimer || this.#stopped) return;
    const untilMs = this.#untilProbeMs();
    if (untilMs === undefined) return;
    const delayMs = Math.max(leastMs, untilMs);
    this.#cancelTimer = this.#host.platform.clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      if (this.#waiters.size > 0) this.#do(() => this.#tryProbe());
    });
  }

  /** Never longer than it was opened for, also when somebody has set the clock back: before it is first asked, or since. */
  #untilProbeMs(): number | undefined {
    const { state, probeAtMs, openMs = 0 } = this.#document;
    if (state === "half-open") return lookAgainMs;
    if (probeAtMs === undefined) return undefined;
    const { clock } = this.#host.platform;
    if (this.#due?.probeAtMs !== probeAtMs) {
      const delayMs = Math.max(0, Math.min(openMs, probeAtMs - clock.now()));
      this.#due = { probeAtMs, monotonicMs: clock.monotonic() + delayMs };
    }
    // A timer may ring a little early.
    return Math.max(0, Math.floor(this.#due.monotonicMs - clock.monotonic()));
  }

  succeeded(probe: Probe | undefined): void {
    if (probe && probe === this.#probe)
      return this.#settle(probe, (before, nowMs) => closed(before, nowMs, "the probe succeeded", this.#host.by));
    if (this.isClosed()) this.#outcomes.succeeded();
  }

  failed(probe: Probe | undefined, error: unknown): void {
    if (probe && probe === this.#probe)
      return this.#settle(probe, (before, nowMs) =>
        this.#opened(before, nowMs, `the probe failed: ${messageOf(error)}`),
      );
    if (!this.isClosed()) return;
    const why = this.#outcomes.failed();
    if (why !== undefined) this.#trip(`${why}: ${messageOf(error)}`);
  }

  /** Nothing is known of the dependency after all: somebody else may try. */
  inconclusive(probe: Probe): void {
    if (probe !== this.#probe || probe.isSettled) return;
    probe.offer();
    this.#waiters.wake(offeredTo);
  }

  /** Reads the store, and creates what is not there. */
  async load(): Promise<void> {
    const trips = tripsOf(this.#options);
    for (;;) {
      await this.#reload();
      if (this.#version > 0 && this.#document.trips === trips) return;
      const document: BreakerDocument = this.#version > 0 ? { ...this.#document, trips, told: false } : this.#document;
      if (await this.#write(document)) return;
    }
  }

  /** Another process, or an operator, may have changed it. */
  see(stored: Document | undefined): void {
    if (stored && this.#working === 0 && stored.version > this.#version) this.#adopt(stored);
  }

  /** Gives up what it holds. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#stopWaiting();
    await this.#work;
    await this.#probe?.end();
  }

  /** Here at once, in the store as soon as it can be written. */
  #trip(reason: string): void {
    this.#document = this.#opened(this.#document, this.#host.platform.clock.now(), reason);
    const document = this.#document;
    this.#host.log.warn({ breaker: this.name, reason, openMs: document.openMs }, "a circuit breaker has opened");
    this.#do(async () => {
      if (!(await this.#write(document))) await this.#reload();
      this.awaited();
    });
  }

  #opened(before: BreakerDocument, nowMs: number, reason: string): BreakerDocument {
    const { openMs = openMsDefault, openMsMax = Math.max(openMs, 300_000) } = this.#options;
    const pauseMs = Math.min(openMsMax, openMs * 2 ** Math.min(before.openings, 30));
    return opened(before, { nowMs, reason: reason.slice(0, 500), by: this.#host.by, openMs: pauseMs });
  }

  /** Takes the lease of the probe; whoever has it sends one delivery through. */
  async #tryProbe(): Promise<void> {
    if (this.#probe) return;
    const { engine, memberId, platform } = this.#host;
    const owner = ownerOf(memberId, platform.ids.next());
    const lost = (lostOne: Probe): void => this.#probeLost(lostOne);
    const probe = await Probe.begin(engine, platform.clock, probeLease(this.name), owner, lost);
    // Another process has it: it will say what came of it, or its lease ends.
    if (!probe) return this.awaited(lookAgainMs);
    let isMine = false;
    try {
      isMine = (await this.#halfOpen(probe)) && !this.#stopped;
    } finally {
      if (!isMine) await probe.end();
    }
    if (!isMine) return this.awaited(lookAgainMs);
    this.#probe = probe;
    probe.offer();
    this.#waiters.wake(offeredTo);
    this.#offerAgain(probe);
  }

  /** Whether a probe is due still, and is said to begin. */
  async #halfOpen(probe: Probe): Promise<boolean> {
    const { platform, by } = this.#host;
    await this.#reload();
    if (this.#document.state === "half-open") return true;
    if (this.isClosed() || this.#untilProbeMs() !== 0) return false;
    if (await this.#write(halfOpened(this.#document, platform.clock.now(), by), probe)) return true;
    await this.#reload();
    return false;
  }

  /** Those that were woken may be gone, or kept from starting: then others have their chance, or another process has. */
  #offerAgain(probe: Probe): void {
    this.#host.platform.clock.after(
      lookAgainMs,
      () => {
        if (this.#probe !== probe || probe.isSettled) return;
        if (!probe.isOffered) return this.#offerAgain(probe);
        if (this.#waiters.size > 0) {
          this.#waiters.wake(offeredTo);
          return this.#offerAgain(probe);
        }
        this.#probe = undefined;
        void probe.end();
      },
      true,
    );
  }

  #probeLost(probe: Probe): void {
    if (this.#probe !== probe) return;
    this.#probe = undefined;
    this.awaited();
  }

  /** Writes what a probe has shown. */
  #settle(probe: Probe, next: (before: BreakerDocument, nowMs: number) => BreakerDocument): void {
    probe.settle();
    this.#do(async () => {
      const document = next(this.#document, this.#host.platform.clock.now());
      if (!(await this.#write(document, probe))) await this.#reload();
      if (this.#probe === probe) this.#probe = undefined;
      await probe.end();
      this.awaited();
    });
  }

  /** One change after the other. What cannot be written is tried again until it can, or until it stops. */
  #do(change: () => Promise<void>): void {
    const { log, platform } = this.#host;
    this.#working += 1;
    const attempt = async (): Promise<void> => {
      for (let tries = 0; !this.#stopped; tries++) {
        try {
          return await change();
        } catch (error) {
          if (tries === 0)
            log.warn({ breaker: this.name, err: messageOf(error) }, "a circuit breaker could not be written");
          await new Promise<void>((resolve) => {
            this.#stopWaiting = resolve;
            platform.clock.after(retryMs, resolve, true);
          });
        }
      }
    };
    this.#work = this.#work.then(attempt).finally(() => {
      this.#working -= 1;
    });
  }

  /** Whether it was written; if not, another one was faster. */
  async #write(document: BreakerDocument, probe?: Probe): Promise<boolean> {
    const { engine, feed } = this.#host;
    // By the time of the answer a look may have found what was written.
    const version = this.#version;
    const documents = [{ collection: collections.breakers, key: this.name, value: JSON.stringify(document) }];
    const told = feed.of(documents);
    const outcome = await engine.transact?.({
      fences: probe ? [probe.fence] : [],
      checks: [{ collection: collections.breakers, key: this.name, version }],
      documents,
      ...(told ? { publish: told } : {}),
    });
    if (!outcome?.committed) return false;
    this.#adopt({ key: this.name, version: version + 1, value: JSON.stringify(document) });
    return true;
  }

  async #reload(): Promise<void> {
    const [stored] = await (this.#host.engine.state as State).get(collections.breakers, [this.name]);
    if (stored) this.#adopt(stored);
  }

  #adopt({ version, value }: Document): void {
    const wasClosed = this.isClosed();
    this.#version = version;
    this.#document = JSON.parse(value) as BreakerDocument;
    const { log } = this.#host;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.isClosed()) {
      if (!wasClosed) log.info({ breaker: this.name, reason: this.#document.reason }, "a circuit breaker has closed");
      this.#outcomes.reset();
      this.#waiters.wake();
    } else if (this.#waiters.size > 0) this.awaited();
  }
}
