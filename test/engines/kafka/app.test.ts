import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { service, tidings, topic } from "tidings";
import { z } from "zod";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { prefixFor, producer, withoutKafka } from "./support.ts";

describe("an application on Kafka with a store", { skip: withoutKafka }, () => {
  it("handles its events once and in order, beside messages and transactions of others", async (t) => {
    const prefix = prefixFor(t);
    const folder = mkdtempSync(join(tmpdir(), "tidings-kafka-app-"));
    afterwards(t, () => rmSync(folder, { recursive: true, force: true }));
    const orders = topic("orders", { key: ({ key }: { key: string }) => key });
    const Placed = orders.event("order.placed", { data: z.object({ key: z.string(), n: z.number() }) });
    const copies = topic("copies", { key: ({ key }: { key: string }) => key });
    const Copied = copies.event("order.copied", { data: z.object({ key: z.string(), n: z.number() }) });
    const seen: number[] = [];
    const app = tidings({
      name: "shop",
      url: `${serviceUrl("kafka")}?prefix=${prefix}&durability=weak`,
      store: `sqlite:${join(folder, "store.db")}`,
      partitions: 1,
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      services: [
        service("copier", { from: "start" }).on(Placed, async ({ data }, ctx) => void ctx.publish(Copied, data)),
        service("reader", { from: "start" }).on(Copied, async ({ data }) => void seen.push(data.n)),
      ],
    });
    await app.start();
    afterwards(t, () => app.stop());
    const other = producer(t, { transactionalId: `${prefix}tx` });
    await other.initIdempotentProducer({});
    for (let n = 0; n < 20; n++) {
      await app.publish(Placed, { key: `k${n % 3}`, n });
      if (n % 5 !== 0) continue;
      const transaction = await other.beginTransaction();
      const message = { topic: `${prefix}orders`, partition: 0, value: Buffer.from(`{"foreign":${n}}`) };
      await transaction.send({ messages: [message], acks: -1 });
      await transaction[n % 2 === 0 ? "commit" : "abort"]();
    }
    await app.settled();
    assert.deepEqual(
      seen,
      Array.from({ length: 20 }, (_, n) => n),
    );
    const health = await app.health();
    assert.equal(health.status, "green", JSON.stringify(health));
  });
});
