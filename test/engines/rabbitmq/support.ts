import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { type Channel, connect, type ConsumeMessage } from "amqplib";

import { environmentOf, greeted, rabbitmq as service, rabbitmqStart } from "../../../scripts/services/rabbitmq.ts";
import { urls } from "../../../scripts/services/records.ts";
import type { Place } from "../../../scripts/services/service.ts";
import { serviceUrl } from "../../../scripts/services/url.ts";
import { rabbitmq, type RabbitmqOptions } from "../../../src/engines/rabbitmq/index.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { removeQueues } from "../../../scripts/conformance/engines.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { missing } from "../../lib/machine.ts";

export { entry, record } from "../records.ts";

export const platform = systemPlatform();

/** Why nothing of this can be tested here; false when it can. */
export const withoutRabbitmq: string | false =
  process.env["TIDINGS_RABBITMQ_URL"] === undefined &&
  urls(["rabbitmq"])["rabbitmq"] === undefined &&
  missing("no RabbitMQ runs: npm run services -- up rabbitmq");

/** A prefix whose streams are removed after the test. */
export function prefixFor(t: TestContext): string {
  const url = serviceUrl("rabbitmq");
  const prefix = `t-${randomUUID().replaceAll("-", "").slice(0, 24)}`;
  afterwards(t, async () => {
    const engine = await rabbitmq({ url, prefix, durability: "weak" }).open({ platform });
    const topics = await engine.topics.list();
    await engine.close();
    await removeQueues(url, prefix, topics);
  });
  return prefix;
}

/** An engine, closed after the test. What is acknowledged may be lost when the power goes, which it does not do here. */
export async function open(t: TestContext, options: Partial<RabbitmqOptions> = {}): Promise<Engine> {
  const engine = await rabbitmq({ url: serviceUrl("rabbitmq"), durability: "weak", ...options }).open({ platform });
  afterwards(t, () => engine.close());
  return engine;
}

/** A channel of a client of the test's own, closed after it. */
export async function channel(t: TestContext, url = serviceUrl("rabbitmq")): Promise<Channel> {
  const model = await connect(url);
  // A server of the test's own may be killed before.
  model.on("error", () => undefined);
  const made = await model.createConfirmChannel();
  made.on("error", () => undefined);
  afterwards(t, () => model.close().catch(() => undefined));
  return made;
}

/** The first so many messages of a stream as a plain client reads them. */
export async function messagesOf(on: Channel, queue: string, count: number): Promise<ConsumeMessage[]> {
  const found: ConsumeMessage[] = [];
  await on.prefetch(100);
  await new Promise<void>((resolve, reject) => {
    const take = (message: ConsumeMessage | null): void => {
      if (!message) return reject(new Error("the consumer was cancelled"));
      if (found.push(message) === count) resolve();
    };
    on.consume(queue, take, { arguments: { "x-stream-offset": "first" } }).catch(reject);
  });
  return found;
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
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`It did not come about within ${withinMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A server of the test's own. */
export interface OwnServer {
  readonly port: number;
  /** A free port for TLS. */
  readonly tlsPort: number;
  readonly url: string;
  readonly folder: string;
  /** Ends it as a power switch would, apart from what the kernel has. */
  kill(): Promise<void>;
  /** Starts it, or starts it again on the same data. */
  start(): Promise<void>;
  /** What the server's own tool answers. */
  ctl(...args: readonly string[]): string;
}

/** Starts a server with this configuration beside what all have; ended after the test. */
export async function ownServer(
  t: TestContext,
  extra: {
    readonly config?: (folder: string, tlsPort: number) => string;
    readonly environment?: Readonly<Record<string, string>>;
    /** False for a server that has none. */
    readonly streams?: boolean;
  } = {},
): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), "tidings-rabbitmq-"));
  const place: Place = { home: folder, port: await freePort() };
  const program = service.find() ?? "rabbitmq-server";
  const tlsPort = await freePort();
  const config = extra.config?.(folder, tlsPort) ?? "";
  const begin = rabbitmqStart(place, program, { config, environment: extra.environment ?? {} });
  let child: ChildProcess | undefined;
  const server: OwnServer = {
    port: place.port,
    tlsPort,
    url: service.url(place),
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
      child = spawn(begin.program, begin.args, { stdio: "ignore", cwd: folder });
      child.on("error", () => undefined);
      const answers = (): Promise<void> => (extra.streams === false ? greeted(place) : service.ask(place));
      await until("the server answers", () => answers().then(() => true, () => false), 60_000); // prettier-ignore
    },
    ctl: (...args) =>
      execFileSync(join(dirname(program), "rabbitmqctl"), args, {
        env: { ...process.env, ...environmentOf(place), LC_ALL: "C.UTF-8" },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      }),
  };
  afterwards(t, async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await server.start();
  return server;
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
