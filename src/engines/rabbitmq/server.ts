import type { ChannelModel } from "amqplib";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Settings } from "./options.ts";

/** What is known of the server. */
export interface ServerFacts {
  readonly version: string;
  readonly cluster: string;
}

/** Refuses a server that cannot hold what is promised: TIDINGS_SERVER_TOO_OLD, TIDINGS_UNSUPPORTED, TIDINGS_SERVER_UNSAFE. */
export function checkServer(model: ChannelModel, { address, durability, readOnly }: Settings): ServerFacts {
  const properties = model.connection.serverProperties as unknown as Readonly<Record<string, unknown>>;
  const text = (name: string): string => (typeof properties[name] === "string" ? properties[name] : "");
  const [product, version] = [text("product"), text("version")];
  if (product !== "RabbitMQ")
    throw new TidingsError("TIDINGS_UNSUPPORTED", `The server at ${address} is no RabbitMQ, but "${product}".`, {
      details: { address, product },
    });
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 3 || (major === 3 && minor < 9))
    throw new TidingsError(
      "TIDINGS_SERVER_TOO_OLD",
      `The server at ${address} is RabbitMQ ${version}; 3.9 or newer is needed, which has streams.`,
      { details: { address, version, needed: "3.9" } },
    );
  if (durability === undefined && !readOnly)
    throw new TidingsError(
      "TIDINGS_SERVER_UNSAFE",
      `RabbitMQ at ${address} acknowledges events that it has not synced yet: state durability "replicated" where streams have replicas on 3 servers that do not fail at once, or durability "weak" where events may be lost when the power goes.`,
      { details: { address } },
    );
  return { version, cluster: text("cluster_name") };
}
