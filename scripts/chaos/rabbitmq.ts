// RabbitMQ under faults: a single server, so that what it acknowledges survives its death and not the power's. It holds no state, so
// that members keep theirs in a file.
import { rabbitmq as service } from "../services/rabbitmq.ts";
import { addressOf, type ServerKind } from "./server.ts";

export const rabbitmq: ServerKind = {
  name: "rabbitmq",
  service,
  holdsState: false,
  args: [],
  // A half-open connection is told by heartbeats only, first by us and then by the server, before the next one may publish.
  url: (server, port, limits) =>
    addressOf(service.url(server.place), port, { ...limits, durability: "weak", pingIntervalMs: 1000 }),
  ownFaults: () => [],
};
