// Kafka under faults: a single broker, so that what it acknowledges survives its death and not the power's. It holds no state, so that
// members keep theirs in a file.
import { kafka as service } from "../services/kafka.ts";
import { addressOf, type ServerKind } from "./server.ts";

export const kafka: ServerKind = {
  name: "kafka",
  service,
  holdsState: false,
  args: [],
  // The broker tells its own address, which would lead past the proxy.
  url: (server, port, limits) =>
    addressOf(service.url(server.place), port, { ...limits, durability: "weak", tunnel: "true" }),
  ownFaults: () => [],
};
