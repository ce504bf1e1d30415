import { TidingsError } from "../../errors/tidings-error.ts";

/** The part of the client that we use. */
export type Client = typeof import("@nats-io/transport-node");

/** The client library, loaded when an engine is opened: it is an optional peer. */
export async function loadClient(): Promise<Client> {
  try {
    return await import("@nats-io/transport-node");
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new TidingsError(
      "TIDINGS_CLIENT_MISSING",
      'The NATS engine needs the package "@nats-io/transport-node": npm install @nats-io/transport-node',
      { cause, details: { engine: "nats", package: "@nats-io/transport-node" } },
    );
  }
}
