import type { NatsConnection } from "@nats-io/transport-node";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Api } from "./api.ts";
import { failureKind, toTidingsError } from "./failure.ts";
import type { Settings } from "./options.ts";
import { alone } from "./streams.ts";

/** What is known of the server. */
export interface ServerFacts {
  readonly version: string;
  readonly cluster: string | undefined;
  /** Largest message, headers and payload together. */
  readonly messageBytesMax: number;
}

/** Refuses a server that cannot hold what is promised: TIDINGS_SERVER_TOO_OLD, TIDINGS_UNSUPPORTED, TIDINGS_SERVER_UNSAFE. */
export async function checkServer(nc: NatsConnection, api: Api, settings: Settings): Promise<ServerFacts> {
  const { version = "0.0.0", cluster, max_payload: messageBytesMax = 0, jetstream } = nc.info ?? {};
  const { address, durability } = settings;
  if (older(version, 2, 9)) throw tooOld(address, version, "2.9", "");
  if (durability === "replicated" && cluster === undefined) throw alone(settings);
  // Until then replicas drift apart when a leader dies while publishes that expect something are refused:
  // nats-server 4365, 4777, 5179, 5821, 6486. On 2.9.10 positions were seen to move by it.
  if (durability === "replicated" && older(version, 2, 11))
    throw tooOld(address, version, "2.11", ' for durability "replicated": before, replicas may drift apart when a leader dies; state durability "weak" where that may happen'); // prettier-ignore
  if (durability === "disk" && older(version, 2, 10))
    throw tooOld(address, version, "2.10", ' for durability "disk": before, no setting syncs each write');
  // A cluster's server without JetStream may stand before others that have it.
  if (!jetstream && cluster === undefined) throw disabled(address);
  try {
    await api.ask("INFO");
  } catch (error) {
    if (failureKind(error) === "disabled" || /no responders/i.test((error as Error).message))
      throw disabled(address, error);
    throw toTidingsError(error, address);
  }
  return { version, cluster, messageBytesMax };
}

function older(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a < major || (a === major && b < minor);
}

function tooOld(address: string, version: string, needed: string, why: string): TidingsError {
  return new TidingsError(
    "TIDINGS_SERVER_TOO_OLD",
    `The server at ${address} is NATS ${version}; ${needed} or newer is needed${why}.`,
    { details: { address, version, needed } },
  );
}

function disabled(address: string, cause?: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `JetStream is not enabled at ${address}: set "jetstream {}" in the server, and for the account.`,
    { cause, details: { address } },
  );
}
