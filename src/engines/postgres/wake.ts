import type pg from "pg";
import { type CancelTimer, sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Head, Tail } from "../sql/tail.ts";
import type { Catalog } from "./catalog.ts";
import { backOff, type Connections } from "./connections.ts";
import { type Expected, historyColumns } from "./identity.ts";
import { channelOf, newsOf, parseNews } from "./news.ts";
import type { Settings } from "./options.ts";

/** What wakes listeners works with. */
export interface WakeParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly connections: Connections;
  readonly catalog: Catalog;
  /** Hears of others. */
  readonly tail: Tail;
}

/** Calls listeners when something may have changed. */
export interface Wake {
  watchTopic(topic: string, listener: () => void): () => void;
  watchCollection(collection: string, listener: () => void): () => void;
  /** This engine has committed. */
  own(logs: Iterable<number>, collections: Iterable<string>): void;
  close(): Promise<void>;
}

/** How often others are told at most: the first change at once, and one signal for all that come soon after. */
const tellEveryMs = 10;
/** How often to look while nobody tells. */
const blindPollMs = 100;
/** How often the connection that listens is asked whether it is there. */
const askEveryMs = 10_000;
/** How long the end of a connection is waited for. */
const closeMs = 1000;

/**
 * Within the process listeners are called after each commit. Other processes are told by NOTIFY, apart from the commits
 * (one inside of each makes all of a cluster's commits wait for each other), and look by themselves now and then.
 */
export class Wakes implements Wake {
  readonly #parts: WakeParts;
  readonly #channel: string;
  readonly #me: string;
  readonly #topics = new Map<string, Set<() => void>>();
  readonly #collections = new Map<string, Set<() => void>>();
  #untold = { topics: new Set<string>(), collections: new Set<string>() };
  #cancelTell: CancelTimer | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #cancelPoll: CancelTimer | undefined;
  #listener: pg.Client | undefined;
  /** Whether notifications come. */
  #hears = false;
  #seen = "";
  /** The last look has seen a change. */
  #changed = false;
  #closed = false;

  constructor(parts: WakeParts) {
    this.#parts = parts;
    this.#channel = channelOf(parts.settings);
    this.#me = parts.platform.ids.next();
  }

  /** Whether changes by others are looked for. */
  watches(): boolean {
    return this.#topics.size + this.#collections.size > 0;
  }

  watchTopic(topic: string, listener: () => void): () => void {
    return this.#watch(this.#topics, topic, listener);
  }

  watchCollection(collection: string, listener: () => void): () => void {
    return this.#watch(this.#collections, collection, listener);
  }

  #watch(kind: Map<string, Set<() => void>>, name: string, listener: () => void): () => void {
    // Two calls with one function are two listeners.
    const own = (): void => listener();
    if (!this.watches()) this.#start();
    const listeners = kind.get(name) ?? new Set();
    kind.set(name, listeners.add(own));
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && kind.get(name) === listeners) kind.delete(name);
    };
  }

  own(logs: Iterable<number>, collections: Iterable<string>): void {
    const topics = new Set<string>();
    for (const log of logs) topics.add(this.#parts.catalog.placeOf(log)?.topic as string);
    this.#call(topics, collections);
    if (!this.#parts.settings.notify) return;
    for (const topic of topics) this.#untold.topics.add(topic);
    for (const collection of collections) this.#untold.collections.add(collection);
    const { clock } = this.#parts.platform;
    const waitMs = Math.max(0, this.#toldAtMs + tellEveryMs - clock.monotonic());
    this.#cancelTell ??= clock.after(waitMs, () => void this.#tell(), true);
  }

  /** A signal that is lost is made up for by the looks of the others: it waits for no sync. */
  async #tell(): Promise<void> {
    this.#cancelTell = undefined;
    this.#toldAtMs = this.#parts.platform.clock.monotonic();
    const { topics, collections } = this.#untold;
    this.#untold = { topics: new Set(), collections: new Set() };
    const payload = newsOf(this.#me, topics, collections);
    await this.#parts.connections
      .read({
        name: "tidings_tell",
        text: "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)",
        values: [this.#channel, payload],
      })
      .catch(() => undefined);
  }

  #call(topics: Iterable<string>, collections: Iterable<string>): void {
    for (const name of topics) this.#callAll(this.#topics.get(name));
    for (const name of collections) this.#callAll(this.#collections.get(name));
  }

  #callAll(listeners: Iterable<() => void> | undefined): void {
    for (const listener of Array.from(listeners ?? [])) {
      try {
        listener();
      } catch (error) {
        // A listener's fault is no reason to leave others asleep, nor to be silent about.
        this.#parts.platform.clock.soon(() => {
          throw error;
        });
      }
    }
  }

  #start(): void {
    if (this.#parts.settings.notify && !this.#listener) void this.#listen();
    if (!this.#cancelPoll) this.#pollLater();
  }

  /** Listens, and connects again for ever. */
  async #listen(): Promise<void> {
    const { connections, platform, settings } = this.#parts;
    for (let tries = 0; !this.#closed; tries++) {
      const client = connections.listener();
      this.#listener = client;
      const ended = new Promise<void>((resolve) => {
        client.once("end", resolve);
        client.on("error", () => resolve());
      });
      client.on("notification", ({ payload }) => this.#heard(payload ?? ""));
      try {
        await client.connect();
        const ask = (text: string) =>
          client.query({ text, query_timeout: settings.requestTimeoutMs } as pg.QueryConfig);
        await ask(`LISTEN "${this.#channel}"`);
        tries = 0;
        this.#hears = true;
        // What was told while nobody listened.
        void this.#look(true);
        // One that is half open is as silent as one on which nothing happens: it is asked now and then.
        while (!(await Promise.race([ended.then(() => true), later(platform)]))) await ask("SELECT 1");
      } catch {
        // Nobody is there, or a pooler that cannot listen: the looks go on.
      }
      this.#hears = false;
      await client.end().catch(() => undefined);
      await backOff(platform, tries);
    }
  }

  #heard(payload: string): void {
    const news = parseNews(payload);
    if (!news || news.from === this.#me) return;
    if (news.all || news.topics.length > 0) this.#parts.tail.forget();
    if (news.all) this.#call([...this.#topics.keys()], [...this.#collections.keys()]);
    else this.#call(news.topics, news.collections);
  }

  #pollLater(): void {
    const { settings, platform } = this.#parts;
    if (this.#closed) return;
    const everyMs = settings.pollMs ?? (this.#hears ? 1000 : blindPollMs);
    this.#cancelPoll = platform.clock.after(everyMs, () => void this.#look(false), true);
  }

  /** Whether anything was written, by anybody: the heads of the logs and a sequence that rises with each commit. */
  async #look(anyway: boolean): Promise<void> {
    const { connections, settings, tail } = this.#parts;
    const expected = connections.expected();
    try {
      const [row] = await connections.read<LookRow>({
        name: "tidings_look",
        text: lookText(settings.schema),
        values: [],
      });
      if (row) connections.compare(row, expected);
      const heads = headsOf(row);
      const seen = row ? `${row.written} ${heads.map(({ next }) => next).join(" ")}` : "";
      if (anyway) tail.forget();
      tail.looked(heads);
      if ((seen !== this.#seen || anyway) && !this.#closed)
        this.#call([...this.#topics.keys()], [...this.#collections.keys()]);
      // The sequence rises before its commit can be seen: who looked in between has to be called again.
      else if (this.#changed && !this.#closed) this.#call([], [...this.#collections.keys()]);
      this.#changed = seen !== this.#seen;
      this.#seen = seen;
    } catch {
      // The calls of the application say that nobody answers.
    }
    if (!anyway) this.#pollLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#topics.clear();
    this.#collections.clear();
    this.#cancelPoll?.();
    this.#cancelTell?.();
    const listener = this.#listener;
    // A connection that is half open never says that it has ended.
    await Promise.race([listener?.end().catch(() => undefined), sleep(this.#parts.platform.clock, closeMs)]);
    // Nor shall it keep the process; the types do not know the method.
    (listener as { unref?: () => void } | undefined)?.unref?.();
  }
}

/** What a look shows: how often something was written, and the logs in the order of their numbers. */
interface LookRow extends Expected {
  readonly written: string;
  readonly logs: readonly number[] | null;
  readonly firsts: readonly number[] | null;
  readonly nexts: readonly number[] | null;
}

const lookText = (schema: string): string => `
  SELECT (SELECT last_value::text || is_called::text FROM "${schema}".writes) AS written, h.logs, h.firsts, h.nexts, ${historyColumns}
  FROM (SELECT array_agg(l.id ORDER BY l.id) AS logs, array_agg(l.first ORDER BY l.id) AS firsts, array_agg(coalesce(n.next, 0) ORDER BY l.id) AS nexts
    FROM "${schema}".log l LEFT JOIN LATERAL (SELECT c.last + 1 AS next FROM "${schema}".chunk c
    WHERE c.segment = l.segment AND c.log = l.id ORDER BY c.last DESC LIMIT 1) AS n ON true) AS h`;

function headsOf(row: LookRow | undefined): readonly Head[] {
  return (row?.logs ?? []).map((log, i) => ({ log, first: row?.firsts?.[i] ?? 0, next: row?.nexts?.[i] ?? 0 }));
}

/** Keeps no process from its end. */
const later = ({ clock }: Platform): Promise<false> =>
  new Promise((resolve) => void clock.after(askEveryMs, () => resolve(false), true));
