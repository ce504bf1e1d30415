import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";

import { removeStreams } from "../../../scripts/conformance/engines.ts";
import { nats as service } from "../../../scripts/services/nats.ts";
import { urls } from "../../../scripts/services/records.ts";
import { serviceUrl } from "../../../scripts/services/url.ts";
import { nats, type NatsOptions } from "../../../src/engines/nats/index.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { missing } from "../../lib/machine.ts";

export { entry, record } from "../records.ts";

export const platform = systemPlatform();

/** Why nothing of this can be tested here; false when it can. */
export const withoutNats: string | false =
  process.env["TIDINGS_NATS_URL"] === undefined &&
  urls(["nats"])["nats"] === undefined &&
  missing("no NATS runs: npm run services -- up nats");

/** A prefix whose streams are removed after the test. */
export function prefixFor(t: TestContext, url = serviceUrl("nats")): string {
  const prefix = `t-${randomUUID().replaceAll("-", "").slice(0, 24)}`;
  afterwards(t, () => removeStreams(url, prefix));
  return prefix;
}

/** An engine, closed after the test. What is acknowledged may be lost when the power goes, which it does not do here. */
export async function open(t: TestContext, options: Partial<NatsOptions> = {}): Promise<Engine> {
  const engine = await nats({ url: serviceUrl("nats"), durability: "weak", ...options }).open({ platform });
  afterwards(t, () => engine.close());
  return engine;
}

/** A client of the test's own, closed after it. */
export async function client(t: TestContext, url = serviceUrl("nats")): Promise<NatsConnection> {
  const { username: user, password: pass, host } = new URL(url);
  const made = await connect({ servers: host, ...(user === "" ? {} : { user, pass }) });
  afterwards(t, () => made.close());
  return made;
}

/** The numbers of all events of a partition, in order. */
export async function numbers(engine: Engine, partition = 0, topic = "orders"): Promise<number[]> {
  const all: number[] = [];
  for (let position = 0; ;) {
    const { records, next } = await engine.topics.read(topic, partition, position, { events: 500, bytes: 1 << 20 });
    if (records.length === 0) return all;
    for (const { data } of records) all.push((JSON.parse(data as string) as { n: number }).n);
    position = next;
  }
}

/** What it rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error("It did not reject.");
}

/** Waits until it holds; looks every few milliseconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`It did not come about within ${withinMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A server of the test's own. */
export interface OwnServer {
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  /** Ends it as a power switch would, apart from what the kernel has. */
  kill(): Promise<void>;
  /** Starts it, or starts it again on the same data. */
  start(): Promise<void>;
}

/** Starts a server with this configuration beside port and folder; ended after the test. */
export async function ownServer(t: TestContext, config: (folder: string) => string = jetStream): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), "tidings-nats-"));
  const port = await freePort();
  const file = join(folder, "nats.conf");
  writeFileSync(file, `listen: "127.0.0.1:${port}"\n${config(folder)}\n`);
  let child: ChildProcess | undefined;
  const server: OwnServer = {
    port,
    url: `nats://127.0.0.1:${port}`,
    folder,
    async kill() {
      if (child?.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
      child = undefined;
    },
    async start() {
      child = spawn(service.find() ?? "nats-server", ["--config", file], { stdio: "ignore" });
      child.on("error", () => undefined);
      await until("the server listens", () => listens(port));
    },
  };
  afterwards(t, async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.start();
  return server;
}

export const jetStream = (folder: string): string => `jetstream { store_dir: ${JSON.stringify(join(folder, "data"))} }`;

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
