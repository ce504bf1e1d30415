import { TidingsError } from "../../errors/tidings-error.ts";

/** The part of the client that we use: connections, and the requests of the protocol. */
export type Client = typeof import("@platformatic/kafka");

/** The client library, loaded when an engine is opened: it is an optional peer. */
export async function loadClient(): Promise<Client> {
  try {
    return await import("@platformatic/kafka");
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new TidingsError(
      "TIDINGS_CLIENT_MISSING",
      'The Kafka engine needs the package "@platformatic/kafka": npm install @platformatic/kafka',
      { cause, details: { engine: "kafka", package: "@platformatic/kafka" } },
    );
  }
}
