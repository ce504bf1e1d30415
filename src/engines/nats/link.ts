import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { isTidingsError } from "../../errors/tidings-error.ts";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { closedError } from "../broker/rejections.ts";
import { passwordIn } from "../../lib/password-file.ts";
import type { Client } from "./client.ts";
import { describeFailure, toTidingsError, unreachable } from "./failure.ts";
import type { Settings } from "./options.ts";

/** One connection, from when it is made until it is lost. Nothing of ours is ever carried over to the next one by the client. */
export interface Line {
  readonly nc: NatsConnection;
  /** Where answers of this connection come; what comes too late for it finds nobody. */
  readonly inbox: string;
}

/** Hears of connections. */
export interface LineListener {
  up?(line: Line): void;
  down?(): void;
  /** The server refused a subject of ours. */
  denied?(subject: string, error: Error): void;
}

const backOffMsMin = 50;
const backOffMsMax = 5000;

/**
 * The way to the server. The client's own reconnecting is off: it would send what it had kept on the next connection, behind
 * a gap that nobody knows of.
 */
export class Link {
  readonly #platform: Platform;
  readonly #settings: Settings;
  readonly #client: Client;
  readonly #listeners = new Set<LineListener>();
  readonly #waiting = new Set<() => void>();
  readonly #over = new AbortController();
  #line: Line | undefined;
  #learned: readonly string[] = [];
  #why: string | undefined;
  #lines = 0;

  constructor(platform: Platform, settings: Settings, client: Client) {
    this.#platform = platform;
    this.#settings = settings;
    this.#client = client;
  }

  /** Makes the first connection; waits for a server that is away no longer than calls do. */
  async open(): Promise<Line> {
    const { clock } = this.#platform;
    const untilMs = clock.monotonic() + this.#settings.busyTimeoutMs;
    for (let tries = 0; ; tries++) {
      try {
        return this.#begin(await this.#dial());
      } catch (error) {
        const ours = toTidingsError(error, this.#settings.address);
        const waits = isTidingsError(ours) && ours.retryable;
        if (!waits || clock.monotonic() >= untilMs) throw ours;
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
    if (this.#line) return this.#line;
    if (this.#over.signal.aborted) throw closedError(this.#settings.address);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        cancel();
        this.#waiting.delete(done);
        resolve();
      };
      const cancel = this.#platform.clock.after(this.#settings.busyTimeoutMs, done);
      this.#waiting.add(done);
    });
    if (this.#line) return this.#line;
    if (this.#over.signal.aborted) throw closedError(this.#settings.address);
    throw this.unreachable();
  }

  /** Tells the listener of every connection, and of the present one at once. */
  listen(listener: LineListener): void {
    this.#listeners.add(listener);
    if (this.#line) listener.up?.(this.#line);
  }

  unreachable(): Error {
    return unreachable(this.#settings.address, this.#why);
  }

  trouble(): string | undefined {
    return this.#line ? undefined : this.unreachable().message;
  }

  /** Gives up a connection that does not answer. */
  abandon(line: Line, why: string): void {
    if (this.#line !== line) return;
    this.#line = undefined;
    this.#why = why;
    // Closing waits for what is written, which on a dead connection never ends.
    void line.nc.close().catch(() => undefined);
    (line.nc as unknown as Internals).protocol?.transport?.discard?.();
    for (const listener of this.#listeners) listener.down?.();
    if (!this.#over.signal.aborted) void this.#redial();
  }

  async close(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort(closedError(this.#settings.address));
    const line = this.#line;
    this.#line = undefined;
    for (const done of Array.from(this.#waiting)) done();
    if (!line) return;
    const given = this.#platform.clock;
    await Promise.race([line.nc.close(), sleep(given, 1000)]).catch(() => undefined);
    (line.nc as unknown as Internals).protocol?.transport?.discard?.();
  }

  async #redial(): Promise<void> {
    for (let tries = 0; !this.#over.signal.aborted; tries++) {
      try {
        await this.#backOff(tries);
        const nc = await this.#dial();
        if (this.#over.signal.aborted) return void nc.close().catch(() => undefined);
        this.#begin(nc);
        return;
      } catch (error) {
        this.#why = describeFailure(error);
      }
    }
  }

  #begin(nc: NatsConnection): Line {
    const line: Line = { nc, inbox: `_INBOX.tidings-${this.#platform.ids.next()}.${(this.#lines += 1)}` };
    this.#line = line;
    this.#why = undefined;
    this.#learned = nc.info?.connect_urls ?? this.#learned;
    void this.#observe(line);
    void nc.closed().then((error) => this.abandon(line, error ? describeFailure(error) : "the connection was closed"));
    for (const listener of this.#listeners) listener.up?.(line);
    for (const done of Array.from(this.#waiting)) done();
    return line;
  }

  /** Half-open connections and refused subjects are told as statuses. */
  async #observe(line: Line): Promise<void> {
    for await (const status of line.nc.status()) {
      if (status.type === "staleConnection") this.abandon(line, "the server does not answer any more");
      if (status.type !== "error") continue;
      const { subject } = status.error as { subject?: string };
      if (subject !== undefined) for (const listener of this.#listeners) listener.denied?.(subject, status.error);
    }
  }

  async #dial(): Promise<NatsConnection> {
    const { servers, user, passwordFile, credsFile, connectTimeoutMs, pingIntervalMs, address } = this.#settings;
    const secret = passwordFile === undefined ? undefined : await passwordIn(passwordFile, address);
    const password = secret ?? this.#settings.password;
    const { credsAuthenticator, connect } = this.#client;
    // What stands alone is a token: before the host, or in the file.
    const token = user === undefined ? secret : password === undefined ? user : undefined;
    const options: NodeConnectionOptions = {
      servers: [...new Set([...servers, ...this.#learned])],
      name: "tidings",
      reconnect: false,
      timeout: connectTimeoutMs,
      pingInterval: pingIntervalMs,
      maxPingOut: 2,
      ...(token === undefined ? {} : { token }),
      ...(user === undefined || password === undefined ? {} : { user, pass: password }),
      ...(credsFile === undefined ? {} : { authenticator: credsAuthenticator(await readFile(credsFile)) }),
      ...this.#tls(),
    };
    return connect(options);
  }

  #tls(): Pick<NodeConnectionOptions, "tls"> {
    const { tls, caFile, certFile, keyFile, servers } = this.#settings;
    if (!tls && caFile === undefined && certFile === undefined) return {};
    const options = {
      ...(caFile === undefined ? {} : { caFile }),
      ...(certFile === undefined ? {} : { certFile }),
      ...(keyFile === undefined ? {} : { keyFile }),
      // The client hands all of it to the TLS of Node.js.
      checkServerIdentity: (host: string, certificate: PeerCertificate) => identityProblem(host, certificate, servers),
    };
    return { tls: options };
  }

  #backOff(tries: number): Promise<void> {
    const { clock, random } = this.#platform;
    const mostMs = Math.min(backOffMsMin * 2 ** tries, backOffMsMax);
    return sleep(clock, mostMs * (0.5 + random.next() / 2), this.#over.signal);
  }
}

/**
 * Why the certificate is not that of the server. For a server that is named by its number the client gives no name, and
 * Node.js then checks for "localhost".
 */
function identityProblem(host: string, certificate: PeerCertificate, servers: readonly string[]): Error | undefined {
  const named = servers.map((server) => server.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""));
  const numbers = named.filter((name) => isIP(name) !== 0);
  if (host !== "localhost" || named.includes(host) || numbers.length === 0)
    return checkServerIdentity(host, certificate);
  const problems = numbers.map((number) => checkServerIdentity(number, certificate));
  return problems.every((problem) => problem !== undefined) ? problems[0] : undefined;
}

/** What the client does not offer: letting go of a socket at once. */
interface Internals {
  readonly protocol?: { readonly transport?: { discard?(): void } };
}
