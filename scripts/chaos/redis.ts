// Redis under faults: with every write synced. It holds no state, so that members keep theirs in a file.
import { createClient } from "@redis/client";

import { redisSynced as service } from "../services/redis.ts";
import { addressOf, type ServerKind } from "./server.ts";

export const redis: ServerKind = {
  name: "redis",
  service,
  holdsState: false,
  args: [],
  url: (server, port, limits) => addressOf(service.url(server.place), port, { ...limits }),
  ownFaults: (server) => [
    {
      // By the server, which says nothing: what was sent and not answered may have been done.
      name: "kill-clients",
      async inflict() {
        const client = createClient({ url: service.url(server.place), socket: { reconnectStrategy: false } });
        client.on("error", () => undefined);
        await client.connect();
        const killed = await client.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        client.destroy();
        return `${Number(killed)}`;
      },
    },
  ],
};
