// Redis on loopback, with its own port and folder: as its package sets it up for the bench, and with every write synced for the engine.
import { existsSync } from "node:fs";
import { createConnection } from "node:net";

import type { Service } from "./service.ts";

const program = "/usr/bin/redis-server";

/** As its package sets it up (snapshots on, no append-only file): what a user would have beside tidings. */
export const redis: Service = serviceOf("redis", 46379, []);

/** What the Redis engine asks for: an append-only file that is synced before each answer. */
export const redisSynced: Service = serviceOf("redis-synced", 46479, [
  "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
]); // prettier-ignore

function serviceOf(name: string, port: number, settings: readonly string[]): Service {
  return {
    name,
    packages: ["redis-server"],
    port,
    stopSignal: "SIGTERM",
    find: () => (existsSync(program) ? program : undefined),
    prepare: async (place, found) => ({
      program: found,
      args: ["--bind", "127.0.0.1", "--port", `${place.port}`, "--dir", place.home, "--daemonize", "no", ...settings],
    }),
    ask: (place) =>
      new Promise((resolve, reject) => {
        const socket = createConnection({ host: "127.0.0.1", port: place.port });
        socket.setTimeout(2_000, () => socket.destroy(new Error("Redis does not answer.")));
        socket.once("connect", () => socket.write("PING\r\n"));
        socket.once("error", reject);
        socket.once("data", (data) => {
          socket.destroy();
          // While it loads its snapshot it answers -LOADING.
          if (data.toString().startsWith("+PONG")) resolve();
          else reject(new Error(data.toString().trim()));
        });
      }),
    url: (place) => `redis://127.0.0.1:${place.port}`,
  };
}
