// What older servers say of themselves: they cannot be had as packages any more, so their answers are given by the test.
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { checkServer as checkKafka } from "../../src/engines/kafka/server.ts";
import { settingsOf as kafkaSettings } from "../../src/engines/kafka/options.ts";
import { versions } from "../../src/engines/kafka/protocol.ts";
import { checkServer as checkRabbitmq } from "../../src/engines/rabbitmq/server.ts";
import { settingsOf as rabbitmqSettings } from "../../src/engines/rabbitmq/options.ts";
import { checkFacts, type Facts } from "../../src/engines/redis/facts.ts";
import { settingsOf as redisSettings } from "../../src/engines/redis/options.ts";

const tooOld = (message: RegExp) => ({ code: "TIDINGS_SERVER_TOO_OLD", message }) as const;

describe("a server that is too old", () => {
  it("is refused with its version and the one that is needed, by Redis", () => {
    const settings = redisSettings({ url: "redis://host" });
    const facts: Facts = {
      version: "6.2.14", role: "master", cluster: false, appendonly: true, appendfsync: "always", unsyncedWhileRewriting: false,
      eviction: "noeviction", memoryMax: 0,
    }; // prettier-ignore
    assert.throws(() => checkFacts(facts, settings), tooOld(/redis:\/\/host:?.* is Redis 6\.2\.14; .* 7\.0 or newer/));
    assert.throws(() => checkFacts({ ...facts, version: "" }, settings), tooOld(/7\.0 or newer/));
    for (const version of ["7.0.0", "7.2.4", "8.0.1", "10.0.0"]) checkFacts({ ...facts, version }, settings);
  });

  it("is refused with its version and the one that is needed, by RabbitMQ, and what is none by its name", () => {
    const settings = rabbitmqSettings({ url: "amqp://host", durability: "weak" });
    const of = (product: string, version: string) =>
      checkRabbitmq({ connection: { serverProperties: { product, version, cluster_name: "c" } } } as never, settings);
    for (const version of ["2.8.7", "3.8.34"])
      assert.throws(() => of("RabbitMQ", version), tooOld(new RegExp(`is RabbitMQ ${version}; 3\\.9 or newer`)));
    for (const version of ["3.9.0", "3.13.7", "4.1.0"])
      assert.deepEqual(of("RabbitMQ", version), { version, cluster: "c" });
    assert.throws(() => of("LavinMQ", "2.0.0"), { code: "TIDINGS_UNSUPPORTED", message: /no RabbitMQ, but "LavinMQ"/ });
  });

  it("is refused with what it does not speak, by Kafka", async () => {
    const settings = kafkaSettings({ url: "kafka://host", durability: "weak" });
    // Fetch of Kafka 2.3, which ends at version 11; of one that is newer than all, which begins behind ours; and none at all.
    for (const [minVersion, maxVersion, said] of [
      [0, 11, /have 0 to 11 of Fetch, and version 12 is asked for/],
      [13, 99, /have 13 to 99 of Fetch/],
      [undefined, undefined, /have no version of Fetch/],
    ] as const) {
      const apiKeys = Object.entries(versions).flatMap(([name, [apiKey, version]]): object[] => {
        if (name !== "Fetch") return [{ apiKey, minVersion: 0, maxVersion: version }];
        return minVersion === undefined ? [] : [{ apiKey, minVersion, maxVersion }];
      });
      const api = { client: {}, control: () => Promise.resolve({ apiKeys }) };
      await assert.rejects(checkKafka(api as never, settings), tooOld(said));
    }
  });
});
