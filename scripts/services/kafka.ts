// Apache Kafka on loopback: one node that is broker and controller, one user with a random password. Its programs come from Maven.
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";

import { execute } from "./execute.ts";
import { folder } from "./records.ts";
import type { Place, Service } from "./service.ts";

const version = "4.1.0";
const user = "tidings";
const java = "/usr/bin/java";
const maven = "/usr/bin/mvn";
const programs = join(folder, `kafka-${version}`);

export const kafka: Service = {
  name: "kafka",
  packages: ["openjdk-17-jre-headless", "maven"],
  // The next one above it is the controller's.
  port: 19_092,
  stopSignal: "SIGTERM",
  find: () => (existsSync(java) && (existsSync(programs) || existsSync(maven)) ? java : undefined),
  prepare: (place, found) => prepareKafka(place, found),
  ask: (place) => askKafka(place.port),
  url: (place) => `kafka://${user}:${password(place)}@127.0.0.1:${place.port}`,
};

/** Where one broker of several finds the others. */
export interface KafkaNode {
  readonly id: number;
  /** As in `controller.quorum.voters`. */
  readonly voters: string;
}

/** Makes the home of a broker ready; `settings` are more lines of its configuration. */
export async function prepareKafka(
  place: Place,
  found: string,
  settings: readonly string[] = [],
  node: KafkaNode = { id: 1, voters: `1@127.0.0.1:${place.port + 1}` },
): Promise<{ program: string; args: readonly string[] }> {
  await fetchPrograms();
  const config = join(place.home, "server.properties");
  writeFileSync(config, [configOf(place, node), ...settings, ""].join("\n"), { mode: 0o600 });
  if (place.user !== undefined) chownSync(config, place.user.uid, place.user.gid);
  const classes = ["-cp", join(programs, "*"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"];
  if (!existsSync(join(place.home, "data", "meta.properties"))) {
    const scram = `SCRAM-SHA-512=[name=${user},password=${password(place)}]`;
    const format = ["format", "--config", config, "--cluster-id", "dGlkaW5ncy1rYWZrYS10ZQ", "--add-scram", scram];
    await execute(found, [...classes, "kafka.tools.StorageTool", ...format]);
  }
  return {
    program: found,
    args: ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", ...classes, "kafka.Kafka", config],
  };
}

/** Resolves when a broker answers which requests it knows: it does so to everybody. */
export function askKafka(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.setTimeout(2_000, () => socket.destroy(new Error("Kafka does not answer.")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("Kafka closed the connection.")));
    // Length, ApiVersions in version 0, a number for the answer, no name.
    socket.once("connect", () => socket.write(Buffer.from("0000000a0012000000000007ffff", "hex")));
    socket.once("data", (data) => {
      if (data.length > 8 && data.readInt32BE(4) === 7) resolve();
      socket.destroy();
    });
  });
}

function configOf({ home, port }: Place, { id, voters }: KafkaNode): string {
  const secret = password({ home, port });
  return `process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${voters}
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}
advertised.listeners=CLIENT://127.0.0.1:${port}
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="${user}" password="${secret}";
log.dirs=${join(home, "data")}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
log.cleaner.dedupe.buffer.size=4194304
num.io.threads=4
num.network.threads=2`;
}

/** Fetches the server with all that it needs, once; Maven knows from where. */
async function fetchPrograms(): Promise<void> {
  if (existsSync(programs)) return;
  const work = `${programs}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, "pom.xml"), pom);
  await execute(
    maven,
    ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"],
    {
      cwd: work,
    },
  );
  try {
    renameSync(join(work, "jars"), programs);
  } catch (error) {
    // Somebody else was faster.
    if (!existsSync(programs)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tidings</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

function password({ home }: Place): string {
  const file = join(home, "password");
  if (!existsSync(file)) writeFileSync(file, randomBytes(16).toString("hex"), { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}
