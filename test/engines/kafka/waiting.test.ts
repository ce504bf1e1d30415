import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { StoredRecord } from "../../../src/event/record.ts";
import { entry, numbers, open, prefixFor, until, withoutKafka } from "./support.ts";

const numberOf = ({ data }: StoredRecord): number => (JSON.parse(data as string) as { n: number }).n;
const limits = { events: 1000, bytes: 1 << 24 };

describe("a reader at the end of a topic of Kafka", { skip: withoutKafka }, () => {
  it("is given what comes, of this process and of others, each event once and in order", async (t) => {
    const prefix = prefixFor(t);
    const one = await open(t, { prefix });
    const two = await open(t, { prefix });
    await one.topics.declare([{ name: "orders", partitions: 2 }]);
    await two.topics.find("orders");
    const found: number[] = [];
    let position = 0;
    let reading: Promise<void> | undefined;
    let hinted = false;
    const readOn = async (): Promise<void> => {
      while (hinted) {
        hinted = false;
        const page = await one.topics.read("orders", 1, position, limits);
        position = page.next;
        found.push(...page.records.map(numberOf));
        if (!page.end && page.records.length > 0) hinted = true;
      }
    };
    one.topics.watch("orders", (partition) => {
      if (partition === 0) return;
      hinted = true;
      reading ??= readOn().finally(() => (reading = undefined));
    });
    for (let n = 0; n < 400; n++) {
      const engine = n % 3 === 0 ? one : two;
      await engine.topics.publish([entry(n, { partition: 1 })]);
      if (n % 4 === 3) await until("all is read", () => found.length > n);
    }
    await until("all is read", () => found.length === 400);
    const numbered = Array.from({ length: 400 }, (_, n) => n);
    assert.deepEqual(found, numbered);
    assert.deepEqual(await numbers(one, 1), numbered);
  });

  it("finds what another process was told is stored", async (t) => {
    const prefix = prefixFor(t);
    const one = await open(t, { prefix });
    const two = await open(t, { prefix });
    await one.topics.declare([{ name: "orders", partitions: 1 }]);
    one.topics.watch("orders", () => undefined);
    let position = 0;
    for (let n = 0; n < 200; n++) {
      await two.topics.publish([entry(n)]);
      const { records, next } = await one.topics.read("orders", 0, position, limits);
      assert.deepEqual(records.map(numberOf), [n]);
      position = next;
    }
  });
});
