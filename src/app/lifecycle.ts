import { TidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";
import { jsonLogger, type Logger } from "../delivery/log.ts";
import { createMetrics } from "../delivery/metrics.ts";
import type { Platform } from "../platform/platform.ts";
import { systemPlatform } from "../platform/system.ts";
import { openEngine } from "./open-engine.ts";
import { type AppOptions, limitsOf, topicsOf } from "./options.ts";
import { type Running, run } from "./running.ts";

/** An application from its making over start to stop. */
export class Lifecycle {
  readonly platform: Platform;
  readonly log: Logger;
  readonly metrics = createMetrics();
  readonly #options: AppOptions;
  readonly #topics;
  #running: Running | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #onAbort = (): void => {
    this.stop().catch((error: unknown) => this.log.error({ err: messageOf(error) }, "stopping failed"));
  };

  constructor(options: AppOptions) {
    this.#options = options;
    this.#topics = topicsOf(options);
    const platform = options.platform ?? systemPlatform();
    this.platform = platform;
    this.log = options.logger ?? jsonLogger(() => platform.clock.now(), "warn");
  }

  /** What runs. Throws TIDINGS_NOT_STARTED before the start and after the stop. */
  live(): Running {
    if (this.#running && !this.#stopping) return this.#running;
    throw new TidingsError(
      "TIDINGS_NOT_STARTED",
      `The application "${this.#options.name}" is ${this.#stopping ? "stopped" : "not started: await app.start() first"}.`,
    );
  }

  /** Opens the engine and runs. Throws TIDINGS_ALREADY_STARTED the second time, and when it was stopped before. */
  async start(): Promise<void> {
    if (this.#starting || this.#stopping) {
      throw new TidingsError(
        "TIDINGS_ALREADY_STARTED",
        `The application "${this.#options.name}" was ${this.#starting ? "started" : "stopped"} before; make another one.`,
      );
    }
    this.#starting = this.#begin();
    await this.#starting;
  }

  async #begin(): Promise<void> {
    const { platform, log, metrics } = this;
    const options = this.#options;
    const engine = await openEngine(options, platform, log);
    try {
      const topics = this.#topics;
      this.#running = await run({ options, engine, platform, log, metrics, topics, limits: limitsOf(options) });
    } catch (error) {
      await engine.close().catch(() => undefined);
      throw error;
    }
    // Not awaited: the stop waits for the start.
    if (options.signal?.aborted) this.#onAbort();
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Stops what runs, also when it is being started still. */
  stop(timeoutMs: number = this.#options.drainTimeoutMs ?? 30_000): Promise<void> {
    return (this.#stopping ??= this.#end(timeoutMs));
  }

  async #end(timeoutMs: number): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    await this.#starting?.catch(() => undefined);
    await this.#running?.stop(timeoutMs);
  }
}
