import { TidingsError } from "../../errors/tidings-error.ts";
import { messageOf } from "../../event/validate.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { State } from "../../ports/state.ts";
import type { Metrics } from "../metrics.ts";
import { collections } from "../records.ts";
import type { BreakerDocument } from "./breaker-document.ts";
import type { BreakerOptions, Dependency, RateOptions } from "./dependency.ts";
import { Guard, type GuardHost } from "./guard.ts";

/** A breaker that is not closed, as this process sees it. */
export interface OpenBreaker extends Pick<BreakerDocument, "state" | "reason" | "sinceMs" | "probeAtMs"> {
  /** Name of the dependency, or of the subscription. */
  readonly breaker: string;
}

/** How often to look without a hint, in milliseconds. */
const everyMs = 2000;

/** The guards of a process, by name: one for each dependency, however many handlers use it, and one for each subscription that has any. */
export class Guards {
  readonly #host: GuardHost;
  readonly #metrics: Metrics;
  readonly #guards = new Map<string, { readonly guard: Guard; readonly dependency: Dependency }>();
  readonly #loaded = new Map<string, Promise<void>>();
  #unwatch: (() => void) | undefined;
  #cancel: CancelTimer | undefined;
  #looking = false;
  #again = false;
  #stopped = false;

  constructor(host: GuardHost, metrics: Metrics) {
    this.#host = host;
    this.#metrics = metrics;
  }

  /** The guard of a dependency. Throws TIDINGS_INVALID_OPTION when another one of this name differs. */
  of(dependency: Dependency): Guard {
    return this.#guardOf(dependency, false);
  }

  /** The guard of a subscription that has a breaker or a rate. */
  ofSubscription(name: string, breaker: BreakerOptions | undefined, rate: RateOptions | undefined): Guard | undefined {
    return breaker || rate ? this.#guardOf({ name, breaker, rate }, true) : undefined;
  }

  find(name: string): Guard | undefined {
    return this.#guards.get(name)?.guard;
  }

  #guardOf(dependency: Dependency, own: boolean): Guard {
    const known = this.#guards.get(dependency.name);
    if (known) {
      if (known.dependency !== dependency && !alike(known.dependency, dependency)) throw twice(dependency.name);
      return known.guard;
    }
    const guard = new Guard(dependency, own, this.#host);
    this.#guards.set(dependency.name, { guard, dependency });
    const attributes = { "tidings.guard.name": dependency.name };
    this.#metrics.gauge("tidings.guard.waiting", "{wait}", attributes, () => guard.waiters.size);
    const { breaker } = guard;
    if (breaker) this.#metrics.gauge("tidings.breaker.state", "1", attributes, () => levels[breaker.document.state]);
    return guard;
  }

  /** Knows the state of a guard's breaker. Called before the first call that nobody has declared. */
  async load({ name, breaker }: Guard): Promise<void> {
    if (!breaker) return;
    this.#listen();
    let loading = this.#loaded.get(name);
    if (!loading) {
      loading = breaker.load();
      this.#loaded.set(name, loading);
      loading.catch(() => this.#loaded.delete(name));
    }
    return loading;
  }

  /** Reads the state of every breaker, and hears of changes from here on. */
  async start(): Promise<void> {
    for (const { guard } of this.#guards.values()) await this.load(guard);
  }

  #listen(): void {
    if (this.#unwatch || this.#stopped) return;
    this.#unwatch = this.#host.engine.state?.watch(collections.breakers, () => void this.#look());
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unwatch?.();
    this.#cancel?.();
    for (const { guard } of this.#guards.values()) await guard.stop();
  }

  /** Breakers that are not closed. */
  open(): readonly OpenBreaker[] {
    return [...this.#guards.values()].flatMap(({ guard: { name, breaker } }) => {
      if (!breaker || breaker.isClosed()) return [];
      const { state, reason, sinceMs, probeAtMs } = breaker.document;
      return [{ breaker: name, state, reason, sinceMs, probeAtMs }] as OpenBreaker[];
    });
  }

  #lookLater(): void {
    const { clock } = this.#host.platform;
    this.#cancel = clock.after(everyMs, () => void this.#look().then(() => !this.#stopped && this.#lookLater()), true);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#again = true;
    if (this.#looking) return;
    this.#looking = true;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const breakers = [...this.#guards.values()].flatMap(({ guard }) => guard.breaker ?? []);
      const names = breakers.map(({ name }) => name);
      if (names.length === 0) break;
      try {
        const documents = await (this.#host.engine.state as State).get(collections.breakers, names);
        for (const [i, breaker] of breakers.entries()) breaker.see(documents[i]);
      } catch (error) {
        this.#host.log.warn({ err: messageOf(error) }, "circuit breakers could not be read");
        break;
      }
    }
    this.#looking = false;
  }
}

const levels = { closed: 0, "half-open": 0.5, open: 1 } as const;

function alike(one: Dependency, other: Dependency): boolean {
  const text = (dependency: Dependency): string =>
    JSON.stringify(dependency, (_, value: unknown) => (typeof value === "function" ? String(value) : value));
  return text(one) === text(other);
}

function twice(name: string): TidingsError {
  return new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The dependency "${name}" is declared twice with different options: declare it once and share it.`,
    { details: { dependency: name } },
  );
}
