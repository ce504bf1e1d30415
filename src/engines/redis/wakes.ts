import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import type { Catalog } from "./catalog.ts";
import type { Connection } from "./connection.ts";
import { backOff, type Connections } from "./connections.ts";
import type { Keys } from "./keys.ts";
import type { Settings } from "./options.ts";
import type { Reader } from "./reader.ts";

/** What wakes listeners works with. */
export interface WakesParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly keys: Keys;
  readonly connections: Connections;
  readonly catalog: Catalog;
  readonly reader: Reader;
  /** What members know this one by. */
  readonly me: string;
}

/** How often to look while nobody tells, and while somebody does. */
const pollMs = { blind: 100, told: 1000 };
/** How often the connection that listens is asked whether it is there. */
const askEveryMs = 10_000;

/**
 * Calls listeners when something may have been appended: after each commit of this process, when another member tells of one of
 * his on the channel, and when a look now and then finds that a stream has grown, for others tell nobody.
 */
export class Wakes {
  readonly #parts: WakesParts;
  readonly #topics = new Map<string, Set<() => void>>();
  #cancelPoll: CancelTimer | undefined;
  #listener: Connection | undefined;
  #listening = false;
  /** Whether notifications come. */
  #hears = false;
  #seen = "";
  #closed = false;

  constructor(parts: WakesParts) {
    this.#parts = parts;
  }

  watch(topic: string, listener: () => void): () => void {
    // Two calls with one function are two listeners.
    const own = (): void => listener();
    const listeners = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, listeners.add(own));
    if (!this.#closed) this.#start();
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#topics.get(topic) === listeners) this.#topics.delete(topic);
    };
  }

  /** Somebody has appended to these topics. */
  call(topics: Iterable<string>): void {
    for (const topic of topics)
      for (const listener of Array.from(this.#topics.get(topic) ?? [])) {
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
    if (this.#parts.settings.notify && !this.#listening) {
      this.#listening = true;
      void this.#listen();
    }
    this.#cancelPoll ??= this.#pollLater();
  }

  /** Listens, and connects again for ever. */
  async #listen(): Promise<void> {
    const { connections, platform, keys } = this.#parts;
    for (let tries = 0; !this.#closed; tries++) {
      try {
        const connection = await connections.make();
        // It was closed meanwhile, and nobody else knows of this connection.
        if (this.#closed) return connection.giveUp("it is closed");
        this.#listener = connection;
        const lost = new Promise<true>((resolve) => connection.onLost(() => resolve(true)));
        await connection.client.subscribe(keys.channel, (message) => this.#heard(message));
        tries = 0;
        this.#hears = true;
        // What was told while nobody listened.
        this.call([...this.#topics.keys()]);
        // One that is half open is as silent as one on which nothing happens: it is asked now and then.
        while (!(await Promise.race([lost, later(platform)]))) await connection.send(["PING"]);
      } catch {
        // Nobody is there, or the user may not listen: the looks go on.
      }
      this.#hears = false;
      this.#listener?.giveUp("it hears nothing");
      if (!this.#closed) await backOff(platform, tries);
    }
  }

  #heard(message: string): void {
    const [from, ...topics] = message.split(" ");
    if (from !== this.#parts.me) this.call(topics[0] === "*" ? [...this.#topics.keys()] : topics);
  }

  #pollLater(): CancelTimer {
    const { settings, platform } = this.#parts;
    const everyMs = settings.pollMs ?? (this.#hears ? pollMs.told : pollMs.blind);
    return platform.clock.after(everyMs, () => void this.#look(), true);
  }

  /** Whether a stream has grown that somebody listens to. */
  async #look(): Promise<void> {
    const { reader, catalog } = this.#parts;
    try {
      const names = [...this.#topics.keys()];
      await catalog.load(names);
      const topics = names.map((name) => catalog.get(name)).filter((topic): topic is TopicSpec => topic !== undefined);
      const seen = `${names.join(" ")} ${(await reader.ends(topics)).join(" ")}`;
      if (seen !== this.#seen && !this.#closed) this.call(names);
      this.#seen = seen;
    } catch {
      // The calls of the application say that nobody answers.
    }
    if (!this.#closed) this.#cancelPoll = this.#pollLater();
  }

  close(): void {
    this.#closed = true;
    this.#topics.clear();
    this.#cancelPoll?.();
    this.#listener?.giveUp("the engine was closed");
  }
}

/** Keeps no process from its end. */
const later = ({ clock }: Platform): Promise<false> =>
  new Promise((resolve) => void clock.after(askEveryMs, () => resolve(false), true));
