// NATS with JetStream under faults: a single server, so that what it acknowledges survives its death and not the power's. It holds no
// state, so that members keep theirs in a file.
import { nats as service } from "../services/nats.ts";
import { addressOf, type ServerKind } from "./server.ts";

export const nats: ServerKind = {
  name: "nats",
  service,
  holdsState: false,
  args: [],
  url: (server, port, limits) => addressOf(service.url(server.place), port, { ...limits, durability: "weak" }),
  ownFaults: () => [],
};
