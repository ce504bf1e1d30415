// RabbitMQ on loopback: one user with a random password, all of its files in the service's folder.
import { randomBytes } from "node:crypto";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";

import type { Place, Service, Start } from "./service.ts";

const user = "tidings";
/** Where the nodes of all servers of ours find each other; it goes on when they end. */
const epmdPort = 15_699;

export const rabbitmq: Service = {
  name: "rabbitmq",
  packages: ["rabbitmq-server"],
  port: 15_680,
  stopSignal: "SIGTERM",
  // Not the wrapper in the path, which wants to run as the user of the package.
  find: () => globSync("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server").at(-1),
  prepare: async (place, found) => rabbitmqStart(place, found),
  async ask(place) {
    await greeted(place);
    await streamsReady(place);
  },
  url: (place) => `amqp://${user}:${password(place)}@127.0.0.1:${place.port}`,
};

/** Resolves when the server takes connections. */
export function greeted({ port }: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.setTimeout(2_000, () => socket.destroy(new Error("RabbitMQ does not answer.")));
    socket.once("connect", () => socket.write("AMQP\u0000\u0000\u0009\u0001"));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("RabbitMQ closed the connection.")));
    // A frame of the method connection.start, on channel 0.
    socket.once("data", (data) => {
      socket.destroy();
      if (data[0] === 1) resolve();
      else reject(new Error("What answers is no RabbitMQ."));
    });
  });
}

/**
 * Resolves when the server would find its streams again after a kill: a 3.10 that dies within seconds after its very first stream
 * was made never has any again, since what coordinates them was not written down yet.
 */
async function streamsReady(place: Place): Promise<void> {
  if (written(place)) return;
  const { connect } = await import("amqplib");
  const connection = await connect(rabbitmq.url(place));
  const channel = await connection.createChannel();
  await channel.assertQueue("first-of-all", { durable: true, arguments: { "x-queue-type": "stream" } });
  await connection.close();
  if (!written(place)) throw new Error("What coordinates the streams is not written down yet.");
}

function written({ home }: Place): boolean {
  return globSync(join(home, "data/*/coordination/*/names.dets")).some((file) =>
    readFileSync(file).includes("rabbit_stream_coordinator"),
  );
}

/** What starts a server with these lines of configuration, and this in its environment, beside what all have. */
export function rabbitmqStart(
  place: Place,
  program: string,
  { config = "", environment = {} }: { config?: string; environment?: Readonly<Record<string, string>> } = {},
): Start {
  const { home } = place;
  writeFileSync(join(home, "rabbitmq.conf"), `${configOf(place)}${config}`, { mode: 0o600 });
  writeFileSync(join(home, "plugins"), "[].\n");
  const all = { ...environmentOf(place), ...environment };
  const args = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  return { program: "/usr/bin/env", args: [...args, program] };
}

/** What the tools of a server need to find it. */
export function environmentOf({ home, port }: Place): Readonly<Record<string, string>> {
  return {
    HOME: home,
    RABBITMQ_NODENAME: `tidings${port}@localhost`,
    RABBITMQ_DIST_PORT: String(port < 40_000 ? port + 20_000 : port - 20_000),
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_CONF_ENV_FILE: join(home, "none"),
    RABBITMQ_CONFIG_FILE: join(home, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, "plugins"),
    RABBITMQ_MNESIA_BASE: join(home, "data"),
    RABBITMQ_LOG_BASE: join(home, "log"),
    RABBITMQ_LOGS: "-",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    // The server takes the place of its script, so that signals reach it.
    RUNNING_UNDER_SYSTEMD: "true",
  };
}

function configOf(place: Place): string {
  return `listeners.tcp.1 = 127.0.0.1:${place.port}
default_user = ${user}
default_pass = ${password(place)}
log.console.level = warning
`;
}

function password({ home }: Place): string {
  const file = join(home, "password");
  if (!existsSync(file)) writeFileSync(file, randomBytes(16).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}
