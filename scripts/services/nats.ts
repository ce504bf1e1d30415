// NATS with JetStream, on loopback: one user with a random password, its streams in the service's folder.
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";

import type { Place, Service } from "./service.ts";

const program = "/usr/sbin/nats-server";
const user = "tidings";

export const nats: Service = {
  name: "nats",
  packages: ["nats-server"],
  port: 44222,
  stopSignal: "SIGTERM",
  find: () => ["/usr/bin/nats-server", program].find((path) => existsSync(path)),
  async prepare(place, found) {
    const config = join(place.home, "nats.conf");
    writeFileSync(config, configOf(place), { mode: 0o600 });
    if (place.user !== undefined) chownSync(config, place.user.uid, place.user.gid);
    return { program: found, args: ["--config", config] };
  },
  ask: ({ port }) =>
    new Promise((resolve, reject) => {
      const socket = createConnection({ host: "127.0.0.1", port });
      socket.setTimeout(2_000, () => socket.destroy(new Error("NATS does not answer.")));
      socket.once("error", reject);
      // The server speaks first; JetStream is ready before it listens.
      socket.once("data", (data) => {
        socket.destroy();
        if (data.toString().startsWith("INFO ")) resolve();
        else reject(new Error(data.toString().trim()));
      });
    }),
  url: (place) => `nats://${user}:${password(place)}@127.0.0.1:${place.port}`,
};

function configOf(place: Place): string {
  return `listen: "127.0.0.1:${place.port}"
jetstream { store_dir: ${JSON.stringify(join(place.home, "jetstream"))} }
authorization { user: ${user}, password: "${password(place)}" }
`;
}

function password({ home }: Place): string {
  const file = join(home, "password");
  if (!existsSync(file)) writeFileSync(file, randomBytes(16).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}
