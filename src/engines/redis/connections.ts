import { type CancelTimer, sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { closedError } from "../broker/rejections.ts";
import type { Library } from "./client.ts";
import { Connection } from "./connection.ts";
import { checkFacts, type Facts, factsOf } from "./facts.ts";
import { failureKind, passes, toCallError } from "./failure.ts";
import type { Settings } from "./options.ts";
import type { StoreWatch } from "./store-watch.ts";

/** How long to wait before the server is asked again: doubles each time. */
const againMs = { least: 20, most: 1000 };

/** How often a server is asked how it is set: it can be set otherwise at any time. */
const lookEveryMs = 10_000;

/** What connections are made with. */
export interface ConnectionsParts {
  readonly library: Library;
  readonly settings: Settings;
  readonly platform: Platform;
  readonly watch: StoreWatch;
}

/** The connections of an engine: one for appends, which keeps their order, and one for all else. */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #closing = new AbortController();
  readonly #open = new Map<"writes" | "reads", Promise<Connection>>();
  #facts: Facts | undefined;
  #trouble: string | undefined;
  #cancelLook: CancelTimer;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
    this.#cancelLook = this.#lookLater();
  }

  #lookLater(): CancelTimer {
    return this.#parts.platform.clock.after(lookEveryMs, () => void this.#look(), true);
  }

  /** Ends all connections when the server would be refused by now: calls make new ones, and are told why not. */
  async #look(): Promise<void> {
    const { settings } = this.#parts;
    try {
      const connection = await this.#open.get("reads");
      if (connection) checkFacts((this.#facts = await factsOf(connection)), settings);
    } catch (error) {
      if (failureKind(error) !== "lost") await this.#giveUpAll(toCallError(error, settings.address).message);
    }
    if (!this.#closing.signal.aborted) this.#cancelLook = this.#lookLater();
  }

  async #giveUpAll(why: string): Promise<void> {
    for (const open of this.#open.values()) (await open.catch(() => undefined))?.giveUp(why);
  }

  /** What the server said when it was asked last. */
  facts(): Facts | undefined {
    return this.#facts;
  }

  /** A connection that has not ended, as far as is known: the same one for all who ask. Tries once. */
  async get(line: "writes" | "reads"): Promise<Connection> {
    if (this.#closing.signal.aborted) throw closedError(this.#parts.settings.address);
    this.#parts.watch.throwIfReplaced();
    const open = this.#open.get(line);
    if (open) return open;
    const made = this.make();
    this.#open.set(line, made);
    const forget = (): void => {
      if (this.#open.get(line) === made) this.#open.delete(line);
    };
    try {
      const connection = await made;
      connection.onLost(forget);
      this.#trouble = undefined;
      return connection;
    } catch (error) {
      forget();
      this.#trouble = toCallError(error, this.#parts.settings.address).message;
      throw error;
    }
  }

  /** A connection of one's own, to a server that was looked at. */
  async make(): Promise<Connection> {
    const { library, settings, platform, watch } = this.#parts;
    const connection = await Connection.make(library, settings, platform);
    try {
      const facts = await factsOf(connection);
      checkFacts(facts, settings);
      await watch.check(connection);
      this.#facts = facts;
      return connection;
    } catch (error) {
      connection.giveUp("the server will not do");
      // It was asked only: nothing that matters can have been lost.
      throw failureKind(error) === "lost" ? new Error("Socket closed unexpectedly", { cause: error }) : error;
    }
  }

  /** Reads, and tries again while the server is away, for `busyTimeoutMs`. Rejects with an error of ours. For what may be done twice. */
  async read<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const { platform, settings, watch } = this.#parts;
    const untilMs = platform.clock.monotonic() + settings.busyTimeoutMs;
    const { signal } = this.#closing;
    for (let tries = 0; ; tries++) {
      try {
        const result = await work(await this.get("reads"));
        this.#trouble = undefined;
        return result;
      } catch (error) {
        if (signal.aborted) throw closedError(settings.address);
        watch.throwIfReplaced();
        const ours = toCallError(error, settings.address);
        if (!passes(error)) throw ours;
        this.#trouble = ours.message;
        if (platform.clock.monotonic() >= untilMs) throw ours;
        await backOff(platform, tries, signal).catch(() => undefined);
      }
    }
  }

  /** Why the last call found nobody; undefined when the server answers. */
  trouble(): string | undefined {
    return this.#parts.watch.replaced()?.message ?? this.#trouble;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelLook();
    await this.#giveUpAll("the engine was closed");
  }
}

/** Waits before another try, so that many members do not ask at once. */
export function backOff(platform: Platform, tries: number, signal?: AbortSignal): Promise<void> {
  const most = Math.min(againMs.most, againMs.least * 2 ** Math.min(tries, 10));
  return sleep(platform.clock, most / 2 + platform.random.next() * (most / 2), signal);
}
