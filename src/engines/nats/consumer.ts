import type { Msg } from "@nats-io/transport-node";
import type { Platform } from "../../platform/platform.ts";
import type { Api, ConsumerInfo } from "./api.ts";
import { unreachable } from "./failure.ts";
import type { Line, Link } from "./link.ts";
import type { Settings } from "./options.ts";

/** A message of a stream with its place. */
export interface Delivered {
  readonly sequence: number;
  /** Counts what the consumer has sent: a gap means that something was lost on the way. */
  readonly count: number;
  readonly appendedAtMs: number;
  /** How many stood behind it when it was sent. */
  readonly pending: number;
  readonly message: Msg;
}

/** Who takes what a consumer delivers. */
export interface Taker {
  delivered(delivered: Delivered): void;
  /** The server has nothing more for a pull, or the pull's time is over. */
  ended(pull: number): void;
  /** The consumer is of no use any more. */
  lost(): void;
}

/** Where a consumer begins. */
export type From = { readonly sequence: number } | { readonly timeMs: number };

/** The server forgets a consumer that nobody pulls from after so long; we do well before. */
const serverKeepsMs = 120_000;
export const consumerKeptMs = serverKeepsMs / 3;

/** The statuses of a pull for which there are no messages: none is there, or none came in time. */
const nothing: ReadonlySet<number> = new Set([404, 408]);

/** The pull consumers of this process: made without acknowledgements and in the server's memory, for one reader each. */
export class Consumers {
  readonly #api: Api;
  readonly #settings: Settings;
  readonly #instance: string;
  readonly #takers = new Map<string, Taker>();
  #line: Line | undefined;
  #count = 0;

  constructor(platform: Platform, settings: Settings, link: Link, api: Api) {
    this.#api = api;
    this.#settings = settings;
    this.#instance = `tidings-${platform.ids.next()}`;
    link.listen({ up: (line) => this.#up(line), down: () => this.#down() });
  }

  /** Makes a consumer of a stream; its taker hears of everything. */
  async make(stream: string, from: From, taker?: Taker, headersOnly = false): Promise<ConsumerInfo> {
    const name = `${this.#instance}-${(this.#count += 1)}`;
    if (taker) this.#takers.set(name, taker);
    const start =
      "sequence" in from
        ? { deliver_policy: "by_start_sequence", opt_start_seq: from.sequence }
        : { deliver_policy: "by_start_time", opt_start_time: new Date(from.timeMs).toISOString() };
    const config = {
      name, ...start, ack_policy: "none", replay_policy: "instant", max_deliver: -1, inactive_threshold: serverKeepsMs * 1e6,
      mem_storage: true, num_replicas: 1, headers_only: headersOnly,
    }; // prettier-ignore
    try {
      return await this.#api.ask<ConsumerInfo>(`CONSUMER.CREATE.${stream}.${name}`, { stream_name: stream, config });
    } catch (error) {
      this.#takers.delete(name);
      throw error;
    }
  }

  /** Asks for so many messages, and has the server wait so long for those that are not there yet. */
  pull(stream: string, consumer: string, pull: number, batch: number, waitMs: number): void {
    const line = this.#line;
    if (!line) throw unreachable(this.#settings.address, undefined);
    const body = JSON.stringify(waitMs > 0 ? { batch, expires: waitMs * 1e6 } : { batch, no_wait: true });
    line.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, body, {
      reply: `${line.inbox}.p.${consumer}.${pull}`,
    });
  }

  /** Lets go of a consumer; nobody waits for the server to do so. */
  drop(stream: string, consumer: string): void {
    this.#takers.delete(consumer);
    this.#line?.nc.publish(`$JS.API.CONSUMER.DELETE.${stream}.${consumer}`);
  }

  #up(line: Line): void {
    this.#line = line;
    const skip = line.inbox.length + 3;
    line.nc.subscribe(`${line.inbox}.p.*.*`, {
      callback: (error, message) => {
        if (error) return;
        const place = placeOf(message);
        if (place) this.#takers.get(place.consumer)?.delivered({ ...place, message });
        else {
          // A status has no place: it comes under the subject that was given with the pull.
          const [consumer = "", pull] = message.subject.slice(skip).split(".");
          const taker = this.#takers.get(consumer);
          // Any other says that the consumer is gone, or moves to another server.
          if (nothing.has(message.headers?.code ?? 0)) taker?.ended(Number(pull));
          else taker?.lost();
        }
      },
    });
  }

  #down(): void {
    this.#line = undefined;
    const takers = Array.from(this.#takers.values());
    this.#takers.clear();
    for (const taker of takers) taker.lost();
  }
}

/**
 * The place of a message, from the subject by which it could be acknowledged:
 * `$JS.ACK.stream.consumer.delivered.sequence.consumerSequence.nanoseconds.pending`, or with a domain and an account behind ACK.
 */
function placeOf({ reply }: Msg): (Omit<Delivered, "message"> & { readonly consumer: string }) | undefined {
  if (reply === undefined || !reply.startsWith("$JS.ACK.")) return undefined;
  const tokens = reply.split(".");
  const at = tokens.length > 9 ? 5 : 3;
  return {
    consumer: tokens[at] as string,
    sequence: Number(tokens[at + 2]),
    count: Number(tokens[at + 3]),
    // Whole milliseconds, without going through a number that cannot hold nanoseconds.
    appendedAtMs: Number((tokens[at + 4] as string).slice(0, -6)),
    pending: Number(tokens[at + 5]),
  };
}
