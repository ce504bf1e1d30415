import { readFile } from "node:fs/promises";
import type { Connection, ConnectionOptions } from "@platformatic/kafka";
import type { Platform } from "../../platform/platform.ts";
import type { Client } from "./client.ts";
import type { Host, Settings } from "./options.ts";
import { proofOf } from "./sasl.ts";
import { Tokens } from "./token.ts";

/**
 * What a connection is for. A broker answers the requests of a connection one by one, so that one which waits at the
 * broker holds all behind it: those that may wait, and those that must not, have each their own.
 */
export type Purpose = "ping" | "control" | "publish" | "read" | "watch";

/** Requests that wait at a broker are given up after so long, in milliseconds, unless pings tell earlier. */
const answerMs = 15_000;

/** A connection that is not made yet. */
export interface Call {
  readonly connection: Connection;
  /** Makes it, and resolves with how long the broker takes us for who we are, in milliseconds; 0 is for ever. */
  readonly connect: (host: Host) => Promise<number>;
}

/** Makes connections as the settings say. */
export class Dialer {
  readonly #settings: Settings;
  readonly #client: Client;
  readonly #tokens: Tokens;
  #tls: ConnectionOptions["tls"];

  constructor({ clock }: Platform, settings: Settings, client: Client) {
    this.#settings = settings;
    this.#client = client;
    this.#tokens = new Tokens(settings, clock);
  }

  /** Reads the files of certificates. Throws what the system says of them. */
  async open(): Promise<void> {
    const { tls, caFile, certFile, keyFile } = this.#settings;
    if (!tls) return;
    this.#tls = {
      ...(caFile === undefined ? {} : { ca: await readFile(caFile) }),
      ...(certFile === undefined ? {} : { cert: await readFile(certFile) }),
      ...(keyFile === undefined ? {} : { key: await readFile(keyFile) }),
    };
  }

  /** Throws TIDINGS_CREDENTIALS_UNAVAILABLE; connecting throws what the client throws, and TIDINGS_ACCESS_DENIED of a token. */
  async call(purpose: Purpose): Promise<Call> {
    const proof = await proofOf(this.#client, this.#settings, this.#tokens);
    const connection = new this.#client.Connection("tidings", {
      connectTimeout: this.#settings.connectTimeoutMs,
      requestTimeout: this.answerMs(purpose),
      maxInflights: 1024,
      ...(this.#tls === undefined ? {} : { tls: this.#tls }),
      ...(proof === undefined ? {} : { sasl: proof.sasl }),
    });
    return {
      connection,
      async connect({ host, port }) {
        try {
          await connection.connect(host, port);
        } catch (error) {
          throw proof?.refusal() ?? error;
        }
        return proof?.sessionMs() ?? 0;
      },
    };
  }

  /** How long an answer to a request may take. */
  answerMs(purpose: Purpose): number {
    const { requestTimeoutMs, pingIntervalMs, pollMs } = this.#settings;
    const all = {
      ping: pingIntervalMs * 2,
      control: requestTimeoutMs,
      publish: answerMs,
      read: answerMs,
      watch: pollMs + answerMs,
    };
    return all[purpose];
  }
}
