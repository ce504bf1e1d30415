// Redis as its package sets it up (snapshots on, no append-only file), but on loopback, with its own port and folder.
import { existsSync } from "node:fs";
import { createConnection } from "node:net";

import type { Service } from "./service.ts";

const program = "/usr/bin/redis-server";

export const redis: Service = {
  name: "redis",
  packages: ["redis-server"],
  port: 46379,
  stopSignal: "SIGTERM",
  find: () => (existsSync(program) ? program : undefined),
  prepare: async ({ home, port }, found) => ({
    program: found,
    args: ["--bind", "127.0.0.1", "--port", String(port), "--dir", home, "--daemonize", "no"],
  }),
  ask: ({ port }) =>
    new Promise((resolve, reject) => {
      const socket = createConnection({ host: "127.0.0.1", port });
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
  url: ({ port }) => `redis://127.0.0.1:${port}`,
};
