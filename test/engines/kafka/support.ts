import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  type BaseOptions,
  Producer,
  ResourcePatternTypes,
  ResourceTypes,
} from "@platformatic/kafka";

import { removeTopics } from "../../../scripts/conformance/engines.ts";
import { askKafka, kafka as service, type KafkaNode, prepareKafka } from "../../../scripts/services/kafka.ts";
import { urls } from "../../../scripts/services/records.ts";
import type { Place } from "../../../scripts/services/service.ts";
import { serviceUrl } from "../../../scripts/services/url.ts";
import { kafka, type KafkaOptions } from "../../../src/engines/kafka/index.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { missing } from "../../lib/machine.ts";

export { entry, record } from "../records.ts";

export const platform = systemPlatform();

/** Why nothing of this can be tested here; false when it can. */
export const withoutKafka: string | false =
  process.env["TIDINGS_KAFKA_URL"] === undefined &&
  urls(["kafka"])["kafka"] === undefined &&
  missing("no Kafka runs: npm run services -- up kafka");

/** A prefix whose topics are removed after the test. */
export function prefixFor(t: TestContext, url = serviceUrl("kafka")): string {
  const prefix = `t-${randomUUID().replaceAll("-", "").slice(0, 24)}-`;
  afterwards(t, () => removeTopics(url, prefix));
  return prefix;
}

/** An engine, closed after the test. What is acknowledged may be lost when the power goes, which it does not do here. */
export async function open(t: TestContext, options: Partial<KafkaOptions> = {}): Promise<Engine> {
  const engine = await kafka({ url: serviceUrl("kafka"), durability: "weak", ...options }).open({ platform });
  afterwards(t, () => engine.close());
  return engine;
}

/** What a client of the test's own is made with. */
export function clientOptions(url = serviceUrl("kafka")): BaseOptions {
  const { username, password, host } = new URL(url);
  const sasl = { mechanism: "SCRAM-SHA-512" as const, username, password };
  return { clientId: "test", bootstrapBrokers: [host], retries: 20, retryDelay: 50, sasl };
}

/** A client that makes and changes topics, closed after the test. */
export function admin(t: TestContext, url?: string): Admin {
  const made = new Admin(clientOptions(url));
  afterwards(t, () => made.close());
  return made;
}

/** Makes a topic as others do, and waits until the broker knows of it: a little after the controller has said so. */
export async function createTopic(
  t: TestContext,
  name: string,
  partitions = 1,
  configs: { name: string; value: string }[] = [],
): Promise<void> {
  const made = admin(t);
  await made.createTopics({ topics: [name], partitions, replicas: 1, configs });
  await until(`the broker knows of ${name}`, async () => (await made.listTopics()).includes(name));
}

/** A client that knows nothing of us, closed after the test. */
export function producer(t: TestContext, options: { transactionalId?: string } = {}) {
  const made = new Producer({ ...clientOptions(), idempotent: options.transactionalId !== undefined, ...options });
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
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`It did not come about within ${withinMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A broker of the test's own. */
export interface OwnServer {
  readonly port: number;
  readonly url: string;
  /** Ends it as a power switch would, apart from what the kernel has. */
  kill(): Promise<void>;
  /** Starts it, or starts it again on the same data. */
  start(): Promise<void>;
}

/** Starts a broker with more settings; ended after the test. */
export async function ownServer(
  t: TestContext,
  settings: (port: number) => readonly string[] = () => [],
): Promise<OwnServer> {
  const port = await freePorts();
  const server = await serverAt(t, port, settings(port));
  await server.start();
  return server;
}

/** How soon a broker that was killed is held for dead by others, and by itself: the default would have tests wait for 9 s each time. */
export const quick = [
  "broker.session.timeout.ms=3000",
  "broker.heartbeat.interval.ms=500",
  "controller.quorum.fetch.timeout.ms=1500",
  "controller.quorum.election.timeout.ms=500",
];

/** Starts brokers that are one cluster; each is ended after the test. */
export async function ownCluster(t: TestContext, count: number): Promise<readonly OwnServer[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePorts());
  const voters = ports.map((port, index) => `${index + 1}@127.0.0.1:${port + 1}`).join(",");
  const servers: OwnServer[] = [];
  for (const [index, port] of ports.entries()) servers.push(await serverAt(t, port, quick, { id: index + 1, voters }));
  await Promise.all(servers.map((server) => server.start()));
  return servers;
}

async function serverAt(
  t: TestContext,
  port: number,
  settings: readonly string[],
  node?: KafkaNode,
): Promise<OwnServer> {
  const home = mkdtempSync(join(tmpdir(), "tidings-kafka-"));
  // Brokers of a cluster let each other in by it.
  writeFileSync(join(home, "password"), "not-a-secret", { mode: 0o600 });
  const place: Place = { home, port };
  const { program, args } = await prepareKafka(place, service.find() ?? "java", settings, node);
  let child: ChildProcess | undefined;
  const server: OwnServer = {
    port,
    url: service.url(place),
    async kill() {
      if (child?.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
      child = undefined;
    },
    async start() {
      child = spawn(program, args, { stdio: "ignore", cwd: home });
      child.on("error", () => undefined);
      const answers = (): Promise<boolean> =>
        askKafka(port).then(
          () => true,
          () => false,
        );
      await until("the broker answers", answers, 60_000);
    },
  };
  afterwards(t, async () => {
    await server.kill();
    rmSync(home, { recursive: true, force: true });
  });
  return server;
}

/** Users by PLAIN, of whom one may do everything and one nothing. */
export const withUsers = [
  "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN",
  'listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_app="x" user_all="x";',
  "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users=User:tidings;User:ANONYMOUS;User:all",
];

/** What lets the user `app` do something with all that begins so. */
export const allow = (
  resource: "TOPIC" | "GROUP",
  resourceName: string,
  operation: keyof typeof AclOperations,
): AclBinding => ({
  resourceType: ResourceTypes[resource],
  resourceName: resourceName === "" ? "*" : resourceName,
  resourcePatternType: resourceName === "" ? ResourcePatternTypes.LITERAL : ResourcePatternTypes.PREFIXED,
  principal: "User:app",
  host: "*",
  operation: AclOperations[operation],
  permissionType: AclPermissionTypes.ALLOW,
});

type AclBinding = Parameters<Admin["createAcls"]>[0]["creations"][number];

/** Makes a key and a certificate for localhost; what lets a broker use them. */
export function certificates(folder: string): string[] {
  const [key, pem, store] = ["server.key", "server.pem", "server.p12"].map((name) => join(folder, name)) as [string, string, string]; // prettier-ignore
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, "-keyout", key, "-out", pem], { stdio: "ignore" }); // prettier-ignore
  execFileSync("openssl", ["pkcs12", "-export", "-in", pem, "-inkey", key, "-out", store, "-passout", "pass:secret"]);
  return [`ssl.keystore.location=${store}`, "ssl.keystore.type=PKCS12", "ssl.keystore.password=secret"];
}

/** A port, of which the next two are free as well: the controller's, and that of one more way in. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = await freePort(0);
    const next = await Promise.all([1, 2].map((more) => freePort(port + more).catch(() => 0)));
    if (port < 65_000 && !next.includes(0)) return port;
  }
}

function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(wanted, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
