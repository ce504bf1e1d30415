// RabbitMQ under faults: a single server, so that what it acknowledges survives its death and not the power's. It holds no state, so
// that members keep theirs in a file.
import { rabbitmq as service } from "../services/rabbitmq.ts";
import { addressOf, type ServerKind } from "./server.ts";

export const rabbitmq: ServerKind = {
  name: "rabbitmq",
  service,
  holdsState: false,
  args: [],
  url: (server, port, limits) => addressOf(service.url(server.place), port, { ...limits, durability: "weak" }),
  ownFaults: () => [],
};
