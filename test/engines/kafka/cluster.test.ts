import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { hasCode } from "../../../src/errors/tidings-error.ts";
import { admin, entry, numbers, open, ownCluster, until, withoutKafka } from "./support.ts";

describe("a cluster of three brokers", { skip: withoutKafka }, () => {
  it("holds what is acknowledged, once and in order, when one after the other is killed under load", async (t) => {
    const servers = await ownCluster(t, 3);
    const url = `${servers[0]!.url},${servers
      .slice(1)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join(",")}`;
    const engine = await open(t, { url, durability: "replicated", pingIntervalMs: 500 });
    assert.equal(engine.capabilities.durability, "replicated");
    await engine.topics.declare([{ name: "orders", partitions: 3 }]);
    const acknowledged = new Map<number, { partition: number; position: number }>();
    const unexpected: unknown[] = [];
    let [running, n] = [true, 0];
    const one = async (own: number): Promise<void> => {
      const partition = own % 3;
      try {
        const [appended] = await engine.topics.publish([{ ...entry(own), partition }]);
        acknowledged.set(own, { partition, position: appended!.position });
      } catch (error) {
        if (!hasCode(error, "TIDINGS_OUTCOME_UNKNOWN") && !hasCode(error, "TIDINGS_UNREACHABLE"))
          unexpected.push(error);
      }
    };
    const load = (async () => {
      while (running) await Promise.all(Array.from({ length: 30 }, () => one(n++)));
    })();
    for (const server of servers) {
      const before = acknowledged.size;
      await until("events are acknowledged", () => acknowledged.size > before + 300);
      await server.kill();
      const down = acknowledged.size;
      await until("the others take over", () => acknowledged.size > down + 300, 60_000);
      await server.start();
      const { leader } = { leader: admin(t, server.url) };
      await until("it is in sync again", async () => {
        const { topics } = await leader.metadata({ topics: ["orders"], forceUpdate: true }).catch(() => ({ topics: new Map() }));
        const found = topics.get("orders") as { partitions: { isr: number[] }[] } | undefined;
        return found?.partitions.every(({ isr }) => isr.length === 3) === true;
      }, 60_000); // prettier-ignore
    }
    running = false;
    await load;
    assert.deepEqual(unexpected, []);
    const found = await Promise.all([0, 1, 2].map((partition) => numbers(engine, partition)));
    for (const [own, { partition, position }] of acknowledged) assert.equal(found[partition]?.[position], own);
    for (const each of found)
      assert.deepEqual(
        each,
        [...new Set(each)].toSorted((a, b) => a - b),
      );
    assert.deepEqual((await engine.verify()).problems, []);
  });
});
