import { isTidingsError } from "../../errors/tidings-error.ts";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { failureKind, Refusal, type RefusalBody, toTidingsError, unreachable } from "./failure.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";

/** How a stream stands, as the server tells it. */
export interface StreamInfo {
  readonly config: {
    readonly name: string;
    readonly storage: string;
    readonly retention: string;
    readonly num_replicas: number;
    readonly duplicate_window?: number;
    readonly max_msgs_per_subject?: number;
  };
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly first_seq: number;
    readonly last_seq: number;
  };
}

/** A message as `STREAM.MSG.GET` answers it; headers and payload in Base64. */
export interface GotMessage {
  readonly message: { readonly seq: number; readonly hdrs?: string; readonly data?: string; readonly time: string };
}

/** What a stream's consumer was made with. */
export interface ConsumerInfo {
  readonly name: string;
  readonly delivered: { readonly stream_seq: number };
}

/** Requests to JetStream: https://docs.nats.io/reference/reference-protocols/nats_api_reference */
export class Api {
  readonly #link: Link;
  readonly #settings: Settings;
  readonly #platform: Platform;

  constructor(link: Link, settings: Settings, platform: Platform) {
    this.#link = link;
    this.#settings = settings;
    this.#platform = platform;
  }

  /**
   * Asks, and asks again when the connection broke or the server is not ready; for requests that may be repeated. Throws a
   * `Refusal` that is no passing one, TIDINGS_UNREACHABLE, TIDINGS_ACCESS_DENIED.
   */
  async ask<Answer>(subject: string, body?: object): Promise<Answer> {
    const { clock } = this.#platform;
    const untilMs = clock.monotonic() + this.#settings.busyTimeoutMs;
    for (let waitMs = 20; ; waitMs = Math.min(waitMs * 2, 1000)) {
      try {
        return await this.once<Answer>(subject, body);
      } catch (error) {
        if (isTidingsError(error) || failureKind(error) !== "away") throw this.#named(error, subject);
        if (clock.monotonic() >= untilMs) throw unreachable(this.#settings.address, (error as Error).message);
        await sleep(clock, waitMs);
      }
    }
  }

  /** Asks once. Throws what the client throws, and refusals. */
  async once<Answer>(subject: string, body?: object): Promise<Answer> {
    const { nc } = await this.#link.ready();
    const timeout = Math.min(this.#settings.requestTimeoutMs, 5000);
    const answer = await nc.request(`$JS.API.${subject}`, body === undefined ? "" : JSON.stringify(body), { timeout });
    const parsed = JSON.parse(answer.string()) as { readonly error?: RefusalBody };
    if (parsed.error) throw new Refusal(parsed.error);
    return parsed as Answer;
  }

  #named(error: unknown, subject: string): Error {
    // A permission that lacks is best told with the subject.
    return error instanceof Refusal ? error : toTidingsError(error, `${this.#settings.address} ($JS.API.${subject})`);
  }
}
