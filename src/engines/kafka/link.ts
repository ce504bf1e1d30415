import type { Connection } from "@platformatic/kafka";
import { isTidingsError } from "../../errors/tidings-error.ts";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { closedError } from "../broker/rejections.ts";
import type { Client } from "./client.ts";
import { Dialer, type Purpose } from "./dial.ts";
import { describeFailure, failureKind, isUnproved, toTidingsError, unreachable } from "./failure.ts";
import type { Host, Settings } from "./options.ts";

/** Hears of the way to the brokers. */
export interface LinkListener {
  up?(): void;
}

/** A topic as a broker describes it. */
export interface TopicMetadata {
  readonly error: number;
  readonly name: string;
  /** Another one each time that a topic of this name is made. */
  readonly id: string;
  readonly isInternal: boolean;
  readonly partitions: readonly { readonly leader: number; readonly replicas: number }[];
}

const backOffMsMin = 50;
const backOffMsMax = 1000;
/** At which part of its session a connection is replaced, at the earliest and at the latest: not all of them at once. */
const replaced = { from: 0.6, to: 0.8 };

/** Hears of a connection. */
interface DialListener {
  /** It has ended, and not by us. */
  lost?(): void;
  /** The broker takes it for so long, in milliseconds from now on. */
  session?(ms: number): void;
}

/** A connection of a broker, which others take the place of. */
interface Line {
  readonly node: number;
  readonly host: Host;
  readonly purpose: Purpose;
}

/** The way to the brokers: connections that are made when they are needed, and made again. */
export class Link {
  readonly #platform: Platform;
  readonly #settings: Settings;
  readonly #client: Client;
  readonly #listeners = new Set<LinkListener>();
  readonly #waiting = new Set<() => void>();
  readonly #over = new AbortController();
  readonly #brokers = new Map<number, Host>();
  readonly #lines = new Map<string, Promise<Connection>>();
  readonly #open = new Set<Connection>();
  /** Connections that we end ourselves. */
  readonly #leaving = new WeakSet<Connection>();
  readonly #dialer: Dialer;
  #why: string | undefined = "no connection was made yet";
  #recovering = false;
  #recovery = 0;

  constructor(platform: Platform, settings: Settings, client: Client) {
    this.#platform = platform;
    this.#settings = settings;
    this.#client = client;
    this.#dialer = new Dialer(platform, settings, client);
  }

  /** Makes the first connection; waits for brokers that are away no longer than calls do. */
  async open(): Promise<void> {
    const { clock } = this.#platform;
    await this.#dialer.open();
    const untilMs = clock.monotonic() + this.#settings.busyTimeoutMs;
    for (let tries = 0; ; tries++) {
      try {
        await this.#look();
        this.#why = undefined;
        this.#ping();
        return;
      } catch (error) {
        const ours = toTidingsError(error, this.#settings.address);
        const waits = isTidingsError(ours) && ours.retryable;
        if (!waits || clock.monotonic() >= untilMs) throw ours;
        await this.#backOff(tries);
      }
    }
  }

  /** Resolves when there is a way. Throws TIDINGS_UNREACHABLE, TIDINGS_CLOSED. */
  async ready(): Promise<void> {
    const isUp = (): boolean => this.#why === undefined && !this.#over.signal.aborted;
    if (isUp()) return;
    if (!this.#over.signal.aborted)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          cancel();
          this.#waiting.delete(done);
          resolve();
        };
        const cancel = this.#platform.clock.after(this.#settings.busyTimeoutMs, done);
        this.#waiting.add(done);
      });
    if (isUp()) return;
    throw this.#over.signal.aborted ? closedError(this.#settings.address) : this.unreachable();
  }

  /** A connection to a broker. Throws what the client throws, and TIDINGS_CLOSED. */
  connection(node: number, purpose: Purpose): Promise<Connection> {
    if (this.#over.signal.aborted) return Promise.reject(closedError(this.#settings.address));
    const name = `${node}/${purpose}`;
    const known = this.#lines.get(name);
    if (known) return known;
    const host = this.#brokers.get(node);
    if (!host) return Promise.reject(unreachable(this.#settings.address, `broker ${node} is not known`));
    const line = this.#lay({ node, host, purpose });
    this.#lines.set(name, line);
    line.then(
      () => this.#recovered(),
      () => {
        if (this.#lines.get(name) === line) this.#lines.delete(name);
      },
    );
    return line;
  }

  /** Makes a connection that tells when it is lost, and is replaced before its session ends. */
  #lay(to: Line): Promise<Connection> {
    const { node, host, purpose } = to;
    const name = `${node}/${purpose}`;
    const line = this.#dial(host, purpose, {
      lost: () => {
        if (this.#lines.get(name) === line) this.#lines.delete(name);
        // Others to this broker may be gone as well.
        if (!this.#over.signal.aborted) void this.#pingOne(node);
      },
      session: (ms) => {
        const endMs = this.#platform.clock.monotonic() + ms;
        const part = replaced.from + (replaced.to - replaced.from) * this.#platform.random.next();
        this.#platform.clock.after(ms * part, () => void this.#replace(to, line, endMs), true);
      },
    });
    return line;
  }

  /** Lays another line in the place of this one. What is under way on the old one is answered there. */
  async #replace(to: Line, line: Promise<Connection>, endMs: number): Promise<void> {
    const name = `${to.node}/${to.purpose}`;
    const isUsed = (): boolean => this.#lines.get(name) === line && !this.#over.signal.aborted;
    const old = await line;
    for (let tries = 0; isUsed(); tries++) {
      const fresh = this.#lay(to);
      const next = await fresh.catch(() => undefined);
      if (next && isUsed()) this.#lines.set(name, fresh);
      // Whoever needs one makes it, and is told why that cannot be.
      else if (!next && this.#platform.clock.monotonic() >= endMs) this.#lines.delete(name);
      else if (next) this.#discard(next);
      else await this.#backOff(tries).catch(() => undefined);
    }
    if (!this.#open.has(old)) return;
    this.#leaving.add(old);
    this.#platform.clock.after(this.#dialer.answerMs(to.purpose), () => this.#discard(old), true);
  }

  /** A connection to any broker, for questions that each can answer. */
  async control(): Promise<Connection> {
    const nodes = this.#inTurn();
    for (const [tried, node] of nodes.entries()) {
      try {
        return await this.connection(node, "control");
      } catch (error) {
        if (tried + 1 === nodes.length) throw error;
      }
    }
    throw this.unreachable();
  }

  /** What a broker knows of these topics, or of all. Throws what the client throws. */
  async metadata(topics: readonly string[] | null): Promise<readonly TopicMetadata[]> {
    return this.#metadata(await this.control(), topics);
  }

  listen(listener: LinkListener): void {
    this.#listeners.add(listener);
  }

  unreachable(): Error {
    return unreachable(this.#settings.address, this.#why);
  }

  trouble(): string | undefined {
    return this.#why === undefined ? undefined : this.unreachable().message;
  }

  /** Something did not work that may be the way's fault: it is looked at. */
  doubt(why: string): void {
    if (this.#over.signal.aborted || this.#recovering) return;
    this.#why = why;
    void this.#recover();
  }

  close(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort(closedError(this.#settings.address));
    for (const done of Array.from(this.#waiting)) done();
    for (const connection of this.#open) this.#discard(connection);
  }

  async #recover(): Promise<void> {
    this.#recovering = true;
    const own = (this.#recovery += 1);
    const isOwn = (): boolean => this.#recovering && this.#recovery === own && !this.#over.signal.aborted;
    for (let tries = 0; isOwn(); tries++) {
      try {
        await this.#backOff(tries);
        if (!isOwn()) return;
        await this.#look();
        this.#recovered();
      } catch (error) {
        if (isOwn()) this.#why = describeFailure(error);
      }
    }
  }

  /** A broker answers: found out by whoever was the first. */
  #recovered(): void {
    if (!this.#recovering) return;
    this.#recovering = false;
    this.#why = undefined;
    for (const listener of this.#listeners) listener.up?.();
    for (const done of Array.from(this.#waiting)) done();
  }

  /** Asks who the brokers are: those that are known, and then the hosts of the address. */
  async #look(): Promise<void> {
    let first: unknown;
    for (const node of this.#inTurn()) {
      try {
        await this.#metadata(await this.connection(node, "ping"), []);
        return;
      } catch (error) {
        first ??= error;
      }
    }
    for (const host of this.#settings.hosts) {
      let connection: Connection | undefined;
      try {
        connection = await this.#dial(host, "ping", {});
        await this.#metadata(connection, []);
        return;
      } catch (error) {
        // Of several hosts, what one says that answers tells more than that another one is away.
        if (first === undefined || failureKind(first) === "away") first = error;
      } finally {
        if (connection) this.#discard(connection);
      }
    }
    throw first;
  }

  async #metadata(connection: Connection, topics: readonly string[] | null): Promise<readonly TopicMetadata[]> {
    const { metadataV10 } = this.#client;
    const answer = await answered(
      metadataV10.api.async(connection, topics === null ? null : [...topics], false, false, false),
    );
    const { tunnel, hosts } = this.#settings;
    if (answer.brokers.length > 0) this.#brokers.clear();
    for (const { nodeId, host, port } of answer.brokers)
      this.#brokers.set(nodeId, tunnel ? (hosts[0] as Host) : { host, port });
    return answer.topics.map(({ errorCode, name, topicId, isInternal, partitions }) => ({
      error: errorCode,
      name: name ?? "",
      id: topicId,
      isInternal,
      partitions: partitions
        .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
        .map(({ leaderId, replicaNodes }) => ({ leader: leaderId, replicas: replicaNodes.length })),
    }));
  }

  #inTurn(): number[] {
    const nodes = Array.from(this.#brokers.keys());
    const at = Math.floor(this.#platform.random.next() * nodes.length);
    return [...nodes.slice(at), ...nodes.slice(0, at)];
  }

  async #dial(to: Host, purpose: Purpose, hears: DialListener): Promise<Connection> {
    const { connection, connect } = await this.#dialer.call(purpose);
    let established = false;
    let why: unknown;
    connection.on("error", (error) => (why = error));
    connection.on("close", () => {
      this.#open.delete(connection);
      if (!established || this.#leaving.has(connection)) return;
      hears.lost?.();
      // Brokers end connections that were idle for long. That in which we ask whether they are there is not.
      if (purpose === "ping") this.doubt(why === undefined ? "the connection was closed" : describeFailure(why));
    });
    this.#open.add(connection);
    let sessionMs = 0;
    try {
      sessionMs = await connect(to);
    } catch (error) {
      this.#open.delete(connection);
      this.#discard(connection);
      throw error;
    }
    if (this.#over.signal.aborted) {
      this.#discard(connection);
      throw closedError(this.#settings.address);
    }
    established = true;
    if (sessionMs > 0) hears.session?.(sessionMs);
    return connection;
  }

  /** Asks the brokers in use whether they are there: a connection that is dead without an end is found by nothing else. */
  #ping(): void {
    const { clock } = this.#platform;
    const { pingIntervalMs } = this.#settings;
    const again = (): void => void clock.after(pingIntervalMs, () => this.#ping(), true);
    if (this.#over.signal.aborted) return;
    const nodes = new Set(Array.from(this.#lines.keys(), (name) => Number(name.split("/", 1)[0])));
    // Somebody is asked also while nothing is done.
    const [anyone] = this.#inTurn();
    if (nodes.size === 0 && anyone !== undefined) nodes.add(anyone);
    void Promise.all(Array.from(nodes, (node) => this.#pingOne(node))).then(again, again);
  }

  async #pingOne(node: number): Promise<void> {
    try {
      await this.#metadata(await this.connection(node, "ping"), []);
    } catch (error) {
      const others = Array.from(this.#lines.keys()).some((name) => name.startsWith(`${node}/`));
      // It lives, and who is let in by an earlier token or password stays so until its session ends.
      if (others && isUnproved(error)) return;
      // All to this broker are as dead as that one.
      for (const [name, line] of this.#lines) {
        if (!name.startsWith(`${node}/`)) continue;
        this.#lines.delete(name);
        line.then(
          (connection) => this.#discard(connection),
          () => undefined,
        );
      }
      this.doubt(describeFailure(error));
    }
  }

  /** Lets go of a connection at once: what waits for an answer is told that it ended. */
  #discard(connection: Connection): void {
    this.#leaving.add(connection);
    (connection.socket as { destroy(): void } | undefined)?.destroy();
  }

  #backOff(tries: number): Promise<void> {
    const { clock, random } = this.#platform;
    const mostMs = Math.min(backOffMsMin * 2 ** tries, backOffMsMax);
    return sleep(clock, mostMs * (0.5 + random.next() / 2), this.#over.signal);
  }
}

/** The answer also where some of it says no: what it is about is told there by codes. */
export async function answered<Answer>(asked: Promise<Answer>): Promise<Answer> {
  try {
    return await asked;
  } catch (error) {
    const { response } = error as { response?: Answer };
    if (response === undefined) throw error;
    return response;
  }
}
