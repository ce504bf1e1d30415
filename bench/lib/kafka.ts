// The Kafka of `npm run services`.
import { Admin, apiVersionsV3, type SASLMechanismValue } from "@platformatic/kafka";

import { serviceUrl } from "../../scripts/services/url.ts";
import type { Facts } from "./line.ts";
import { packageVersion } from "./versions.ts";

/** Its URL; starts it when it does not run. */
export const kafkaUrl = (): string => serviceUrl("kafka");

/** What every client of the package needs to get there. */
export function kafkaAccess(url: string) {
  const { host, username, password } = new URL(url);
  const mechanism: SASLMechanismValue = "SCRAM-SHA-512";
  return { clientId: "bench", bootstrapBrokers: [host], sasl: { mechanism, username, password } };
}

/** Brokers do not tell their version, but what all of the cluster can do: `metadata.version`. */
const versions: Readonly<Record<number, string>> = { 25: "4.0", 27: "4.1" };
const shown = ["log.flush.interval.messages", "min.insync.replicas", "message.max.bytes"];
const ofBroker = 4;

/** Version and durability of the broker, versions of its clients. */
export async function kafkaFacts(url: string): Promise<Facts> {
  const admin = new Admin(kafkaAccess(url));
  const [[node, connection] = []] = [...(await admin.connectToBrokers())];
  if (connection === undefined) throw new Error(`There is no broker at ${new URL(url).host}.`);
  const { finalizedFeatures } = await apiVersionsV3.api.async(connection, "bench", "1");
  const level = finalizedFeatures?.find(({ name }) => name === "metadata.version")?.maxVersionLevel ?? 0;
  const [described] = await admin.describeConfigs({
    resources: [{ resourceType: ofBroker, resourceName: String(node), configurationKeys: shown }],
  });
  const { brokers } = await admin.metadata({});
  await admin.close();
  return {
    kafka: versions[level] ?? `metadata.version ${level}`,
    kafkaBrokers: brokers.size,
    ...Object.fromEntries((described?.configs ?? []).map(({ name, value }) => [`kafka ${name}`, value ?? "unknown"])),
    platformaticKafka: packageVersion("@platformatic/kafka"),
    kafkajs: packageVersion("kafkajs"),
    nestjs: packageVersion("@nestjs/microservices"),
  };
}
