import { readFile } from "node:fs/promises";
import type { ChannelModel, SocketOptions } from "amqplib";
import { isTidingsError } from "../../errors/tidings-error.ts";
import { passwordIn } from "../../lib/password-file.ts";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { closedError } from "../broker/rejections.ts";
import { type Client, discard, gatherWrites } from "./client.ts";
import { describeFailure, failureKind, toTidingsError, unreachable } from "./failure.ts";
import type { Settings } from "./options.ts";

/** One connection, from when it is made until it is lost. */
export interface Line {
  readonly model: ChannelModel;
  /** Why the server takes no publishes for now; undefined when it does. */
  blocked: string | undefined;
  /** What the server said when it closed the connection, which no call on it hears of. */
  failure: Error | undefined;
}

/** Hears of connections. */
export interface LineListener {
  up?(line: Line): void;
  down?(): void;
  /** The server takes publishes again. */
  unblocked?(): void;
}

export interface LinkParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly client: Client;
  /** What the operator sees the connection by. */
  readonly name: string;
  /** Makes a connection ready before anybody has it; one for which it fails is given up. */
  readonly prepare?: (model: ChannelModel, again: boolean) => Promise<void>;
}

const backOffMsMin = 50;
const backOffMsMax = 5000;

/** A way to the server. The client's own recovery is not used: nobody would know what was lost in between. */
export class Link {
  readonly #parts: LinkParts;
  readonly #listeners = new Set<LineListener>();
  readonly #waiting = new Set<() => void>();
  readonly #over = new AbortController();
  #line: Line | undefined;
  #why: string | undefined;
  #dials = 0;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Makes the first connection; waits for a server that is away no longer than calls do. */
  async open(): Promise<Line> {
    const { platform, settings } = this.#parts;
    const untilMs = platform.clock.monotonic() + settings.busyTimeoutMs;
    for (let tries = 0; ; tries++) {
      try {
        return this.#begin(await this.#dial(false));
      } catch (error) {
        const ours = toTidingsError(error, settings.address);
        const waits = isTidingsError(ours) && ours.retryable;
        if (!waits || platform.clock.monotonic() >= untilMs) throw ours;
        await this.#backOff(tries);
      }
    }
  }

  /** The connection, while there is one. */
  line(): Line | undefined {
    return this.#line;
  }

  /** Waits for a connection. Throws TIDINGS_UNREACHABLE, TIDINGS_CLOSED. */
  async ready(): Promise<Line> {
    const { platform, settings } = this.#parts;
    if (!this.#line && !this.#over.signal.aborted)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          cancel();
          this.#waiting.delete(done);
          resolve();
        };
        const cancel = platform.clock.after(settings.busyTimeoutMs, done);
        this.#waiting.add(done);
      });
    if (this.#over.signal.aborted) throw closedError(settings.address);
    if (this.#line) return this.#line;
    throw this.unreachable();
  }

  /** Asks, and asks again when the connection broke or the server is not ready; for what may be repeated. */
  async ask<Answer>(act: (model: ChannelModel) => Promise<Answer>): Promise<Answer> {
    const { platform, settings } = this.#parts;
    const untilMs = platform.clock.monotonic() + settings.busyTimeoutMs;
    for (let waitMs = 20; ; waitMs = Math.min(waitMs * 2, 1000)) {
      const line = await this.ready();
      try {
        return await this.#within(line, act(line.model));
      } catch (error) {
        if (isTidingsError(error) || failureKind(error) !== "away") throw error;
        if (line.failure && !["away", "other"].includes(failureKind(line.failure))) throw line.failure;
        if (platform.clock.monotonic() >= untilMs) throw unreachable(settings.address, describeFailure(error));
        await sleep(platform.clock, waitMs);
      }
    }
  }

  /** Tells the listener of every connection, and of the present one at once. */
  listen(listener: LineListener): void {
    this.#listeners.add(listener);
    if (this.#line) listener.up?.(this.#line);
  }

  unreachable(): Error {
    return unreachable(this.#parts.settings.address, this.#why);
  }

  trouble(): string | undefined {
    return this.#line ? undefined : this.unreachable().message;
  }

  /** Gives up a connection that is gone, or does not answer. */
  abandon(line: Line, why: string): void {
    if (this.#line !== line) return;
    this.#line = undefined;
    this.#why = why;
    discard(line.model);
    for (const listener of this.#listeners) listener.down?.();
    if (!this.#over.signal.aborted) void this.#redial();
  }

  async close(): Promise<void> {
    if (this.#over.signal.aborted) return;
    const { platform, settings } = this.#parts;
    this.#over.abort(closedError(settings.address));
    const line = this.#line;
    this.#line = undefined;
    for (const done of Array.from(this.#waiting)) done();
    if (!line) return;
    await Promise.race([line.model.close(), sleep(platform.clock, 1000)]).catch(() => undefined);
    discard(line.model);
  }

  /** Waits for a call on the present connection, no longer than calls may take. Throws what it does, and TIDINGS_UNREACHABLE. */
  bounded<Answer>(work: Promise<Answer>): Promise<Answer> {
    return this.#line ? this.#within(this.#line, work) : work;
  }

  /** A call that is not answered in time ends the connection: what came for it later would be taken for another's. */
  #within<Answer>(line: Line, work: Promise<Answer>): Promise<Answer> {
    const { platform, settings } = this.#parts;
    return new Promise((resolve, reject) => {
      const cancel = platform.clock.after(settings.requestTimeoutMs, () => {
        this.abandon(line, "a request was given no answer");
        reject(this.unreachable());
      });
      work.then(resolve, reject).finally(cancel);
    });
  }

  async #redial(): Promise<void> {
    for (let tries = 0; !this.#over.signal.aborted; tries++) {
      try {
        await this.#backOff(tries);
        const model = await this.#dial(true);
        if (this.#over.signal.aborted) return discard(model);
        this.#begin(model);
        return;
      } catch (error) {
        this.#why = describeFailure(error);
      }
    }
  }

  #begin(model: ChannelModel): Line {
    const line: Line = { model, blocked: undefined, failure: undefined };
    this.#line = line;
    this.#why = undefined;
    let why = "the connection was closed";
    model.on("error", (error) => {
      line.failure = error;
      why = describeFailure(error);
    });
    model.on("close", (error) => this.abandon(line, error === undefined ? why : describeFailure(error)));
    model.on("blocked", (reason) => (line.blocked = reason === "" ? "an alarm" : reason));
    model.on("unblocked", () => {
      line.blocked = undefined;
      for (const listener of this.#listeners) listener.unblocked?.();
    });
    for (const listener of this.#listeners) listener.up?.(line);
    for (const done of Array.from(this.#waiting)) done();
    return line;
  }

  async #dial(again: boolean): Promise<ChannelModel> {
    const { settings, client, prepare } = this.#parts;
    const { hosts, user, vhost, tls, pingIntervalMs, passwordFile, address } = settings;
    const password = passwordFile === undefined ? settings.password : await passwordIn(passwordFile, address);
    // Another one each time, so that one that is away does not hold us up.
    const { host, port } = hosts[this.#dials++ % hosts.length] as Settings["hosts"][number];
    const where = {
      protocol: tls ? "amqps" : "amqp", hostname: host, port, username: user, password, vhost,
      heartbeat: Math.max(1, Math.round(pingIntervalMs / 1000)),
    }; // prettier-ignore
    const model = await client.connect(where, await this.#socketOptions());
    gatherWrites(model);
    // Without a listener an error would end the process.
    model.on("error", () => undefined);
    let why: Error | undefined;
    const ended = (error?: Error): void => {
      why = error ?? new Error("connection closed");
    };
    model.on("close", ended);
    try {
      if (prepare) await this.#soon(prepare(model, again));
      if (why) throw why;
      model.off("close", ended);
      return model;
    } catch (error) {
      discard(model);
      throw error;
    }
  }

  /** Resolves as the work does, and throws when it takes longer than a connection may. */
  async #soon(work: Promise<void>): Promise<void> {
    const { platform, settings } = this.#parts;
    const done = new AbortController();
    const late = sleep(platform.clock, settings.connectTimeoutMs, done.signal).then(() => {
      throw new Error("connect ETIMEDOUT");
    });
    try {
      await Promise.race([work, late]);
    } finally {
      late.catch(() => undefined);
      work.catch(() => undefined);
      done.abort();
    }
  }

  async #socketOptions(): Promise<SocketOptions> {
    const { caFile, certFile, keyFile, connectTimeoutMs } = this.#parts.settings;
    const [ca, cert, key] = await Promise.all(
      [caFile, certFile, keyFile].map(async (file) => (file === undefined ? undefined : readFile(file))),
    );
    return {
      timeout: connectTimeoutMs,
      noDelay: true,
      keepAlive: true,
      clientProperties: { connection_name: this.#parts.name },
      ...(ca ? { ca: [ca] } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
    };
  }

  #backOff(tries: number): Promise<void> {
    const { clock, random } = this.#parts.platform;
    const mostMs = Math.min(backOffMsMin * 2 ** tries, backOffMsMax);
    return sleep(clock, mostMs * (0.5 + random.next() / 2), this.#over.signal);
  }
}
