import type { Connection } from "@platformatic/kafka";
import type { Clock } from "../../platform/clock.ts";
import { describeFailure } from "./failure.ts";
import type { Lane } from "./lane.ts";
import type { Link } from "./link.ts";
import type { ProduceEntry, Protocol } from "./protocol.ts";
import type { Settings } from "./options.ts";

/** Requests under way to one broker: while one is answered, the next one is on its way. */
const requestsMax = 2;
/** How long a leader waits for its followers, in milliseconds. */
const followersMs = 10_000;
/** One batch may be larger. */
const requestBytesMax = 1024 * 1024;

/** Brings the batches of partitions to one broker, those of many in one request. */
export class Sender {
  readonly #node: number;
  readonly #link: Link;
  readonly #protocol: Protocol;
  readonly #clock: Clock;
  readonly #settings: Settings;
  readonly #ready = new Set<Lane>();
  #underWay = 0;
  #soon = false;

  constructor(node: number, link: Link, protocol: Protocol, clock: Clock, settings: Settings) {
    this.#node = node;
    this.#link = link;
    this.#protocol = protocol;
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Takes what the lane has, together with what else comes now. */
  take(lane: Lane): void {
    this.#ready.add(lane);
    if (this.#soon || this.#underWay >= requestsMax) return;
    this.#soon = true;
    this.#clock.soon(() => {
      this.#soon = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#ready.size > 0 && this.#underWay < requestsMax) void this.#send();
  }

  async #send(): Promise<void> {
    this.#underWay++;
    const open = new Map<string, Lane>();
    try {
      const connection = await this.#connection();
      if (!connection) return;
      const entries = this.#gather(open);
      if (entries.length === 0) return;
      const waitMs = Math.min(followersMs, this.#settings.requestTimeoutMs);
      for (const { topic, partition, error, base } of await this.#protocol.produce(connection, entries, waitMs)) {
        const name = `${topic}/${partition}`;
        const lane = open.get(name);
        open.delete(name);
        lane?.answered(error, base);
      }
    } catch (error) {
      this.#link.doubt(describeFailure(error));
    } finally {
      this.#underWay--;
      for (const lane of open.values()) lane.lost();
      this.#pump();
    }
  }

  /** Before anything is taken: what was not sent is not of unknown outcome. */
  async #connection(): Promise<Connection | undefined> {
    try {
      return await this.#link.connection(this.#node, "publish");
    } catch {
      const waiting = Array.from(this.#ready);
      this.#ready.clear();
      for (const lane of waiting) lane.waits();
      return undefined;
    }
  }

  #gather(open: Map<string, Lane>): ProduceEntry[] {
    const entries: ProduceEntry[] = [];
    let bytes = 0;
    for (const lane of this.#ready) {
      if (bytes > requestBytesMax) break;
      this.#ready.delete(lane);
      const batch = lane.next();
      if (!batch) continue;
      const { topic, partition } = lane;
      open.set(`${topic.name}/${partition}`, lane);
      entries.push({ topic: topic.name, partition, batch });
      bytes += batch.length;
    }
    return entries;
  }
}
