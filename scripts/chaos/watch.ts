// Looks at the server past the proxy, again and again: how far each group has come in each partition, and when it went on.
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "tidings";

import { collections, type PositionDocument } from "../../src/delivery/records.ts";
import type { PositionSample } from "../../src/testing/check/history.ts";
import { counts } from "./app.ts";

const everyMs = 150;
/** To look costs some servers more than to work: it takes this share of the time at most. */
const share = 0.2;
const mostMs = 2_000;

/** A group in a partition. */
interface Place {
  readonly subscription: string;
  readonly partition: number;
  /** How many events it has settled, and how many are there. */
  readonly done: number;
  readonly next: number;
}

/** What is there at a moment, by group and partition. */
interface Look {
  readonly atMs: number;
  readonly places: ReadonlyMap<string, Place>;
}

/** How publishing came back. */
export interface Publishing {
  /** The processes that publish and have acknowledged nothing since an instant, though they have something to publish. */
  silentSince(ms: number): readonly string[];
}

export class Watch {
  /** Places as they changed, for the checker: none goes back. */
  readonly positions: PositionSample[] = [];
  readonly #app: App;
  readonly #seen = new Map<string, string>();
  #look: Look | undefined;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(app: App) {
    this.#app = app;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const asked = performance.now();
      await this.#lookOnce(asked).catch(() => undefined);
      await sleep(Math.min(mostMs, Math.max(everyMs, (performance.now() - asked) / share)));
    }
  }

  async #lookOnce(atMs: number): Promise<void> {
    const { engine } = this.#app;
    const documents = (await engine.state?.scan(collections.positions, { limit: 10_000 })) ?? [];
    // Asked for later, so that what is settled is never more than what is there.
    const bounds = await engine.topics.bounds(counts.name);
    const places = new Map<string, Place>();
    for (const { key, version, value } of documents) {
      const { low, run, finished } = JSON.parse(value) as PositionDocument;
      const subscription = key.slice(0, key.lastIndexOf("/"));
      const partition = Number(key.slice(key.lastIndexOf("/") + 1));
      const done = finished.reduce((sum, [from, to]) => sum + to - from + 1, low);
      places.set(key, { subscription, partition, done, next: bounds[partition]?.next ?? 0 });
      if (this.#seen.get(key) === `${version}`) continue;
      this.#seen.set(key, `${version}`);
      this.positions.push({ subscription, partition, run, low });
    }
    this.#look = { atMs, places };
  }

  /**
   * Resolves when everybody has gone on since an instant: every group in every partition in which something waited, and all
   * who publish; or after `limitMs`, with who has not.
   */
  async resumed(sinceMs: number, limitMs: number, publishing: Publishing): Promise<{ ms: number; silent: string[] }> {
    let base: Look | undefined;
    for (;;) {
      const look = this.#look;
      if (look && look.atMs >= sinceMs) base ??= look;
      const silent = [...(base && look ? waiting(base, look) : ["the server"]), ...publishing.silentSince(sinceMs)];
      const ms = Math.round(performance.now() - sinceMs);
      if (silent.length === 0 || ms > limitMs) return { ms, silent };
      await sleep(25);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

/** Who had something to do at the first look and has done nothing of it by the second. */
function waiting(base: Look, look: Look): string[] {
  const silent: string[] = [];
  for (const [key, { subscription, partition, done, next }] of look.places) {
    if (next <= done || done > (base.places.get(key)?.done ?? 0)) continue;
    silent.push(`${subscription} in partition ${partition}, with ${next - done} events pending`);
  }
  return silent;
}
