import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Call } from "../../../src/engines/broker/call.ts";
import { Lane, type LaneHost } from "../../../src/engines/kafka/lane.ts";
import { Bodies } from "../../../src/engines/kafka/body.ts";
import { draftOf } from "../../../src/engines/kafka/wire.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import { entry } from "../records.ts";

const outOfOrder = 45;
const tooFewReplicas = 19;
const bodies = new Bodies();

/** A lane whose broker is the test. */
function laneOf(options: Partial<LaneHost> = {}) {
  let producers = 0n;
  const host: LaneHost = {
    clock: systemPlatform().clock,
    crc32c: () => 0,
    compression: undefined,
    address: "kafka://host:9092",
    repeatsMs: 60_000,
    batchBytesMax: 1 << 20,
    identity: () => Promise.resolve({ producerId: (producers += 1n), epoch: 0 }),
    ready: () => undefined,
    lookForLeader: () => undefined,
    stored: () => undefined,
    ...options,
  };
  const spec = { name: "orders", partitions: 1 };
  const topic = { spec, name: "orders", id: "1", leaders: [1], batchBytesMax: 1 << 20, missingSinceMs: undefined, gone: undefined }; // prettier-ignore
  const lane = new Lane(topic, 0, host);
  const publish = (n: number) =>
    new Promise<number>((resolve, reject) => {
      const call = new Call(
        1,
        0,
        { address: host.address, over: () => undefined },
        ([appended]) => resolve(appended!.position),
        reject,
      );
      lane.push({ call, index: 0, draft: draftOf(entry(n), { eventBytesMax: 1 << 20 }, bodies) });
    });
  /** Waits for what the lane sends. */
  const sent = async (): Promise<Buffer> => {
    for (;;) {
      const batch = lane.next();
      if (batch) return batch;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return { lane, publish, sent };
}

const producerOf = (batch: Buffer): bigint => batch.readBigInt64BE(43);
const sequenceOf = (batch: Buffer): number => batch.readInt32BE(53);
const countOf = (batch: Buffer): number => batch.readInt32BE(57);

describe("what is on its way to a partition of Kafka", () => {
  it("goes again as it was when its answer did not come, before anything else", async () => {
    const { lane, publish, sent } = laneOf();
    const first = publish(0);
    const batch = await sent();
    const second = publish(1);
    assert.equal(lane.next(), undefined);
    lane.lost();
    const again = await sent();
    assert.deepEqual(again, batch);
    lane.answered(0, 10);
    assert.equal(await first, 10);
    const next = await sent();
    assert.deepEqual([producerOf(next), sequenceOf(next), countOf(next)], [1n, 1, 1]);
    lane.answered(0, 11);
    assert.equal(await second, 11);
  });

  it("takes a new number when the leader does not know it any more, and is sent then if it cannot be there", async () => {
    const { lane, publish, sent } = laneOf();
    const first = publish(0);
    assert.equal(producerOf(await sent()), 1n);
    lane.answered(outOfOrder, -1);
    const again = await sent();
    assert.deepEqual([producerOf(again), sequenceOf(again)], [2n, 0]);
    lane.answered(0, 0);
    assert.equal(await first, 0);
  });

  it("is of unknown outcome when the leader does not know it any more and it may be there, and what comes later goes on", async () => {
    const { lane, publish, sent } = laneOf();
    const first = publish(0);
    await sent();
    const second = publish(1);
    lane.lost();
    await sent();
    lane.answered(outOfOrder, -1);
    await assert.rejects(first, { code: "TIDINGS_OUTCOME_UNKNOWN" });
    assert.equal(producerOf(await sent()), 2n);
    lane.answered(0, 5);
    assert.equal(await second, 5);
  });

  it("waits while too few replicas are in sync, says so, and is written when they are", async () => {
    const { lane, publish, sent } = laneOf();
    const first = publish(0);
    const batch = await sent();
    lane.answered(tooFewReplicas, -1);
    assert.match(lane.stuckFor(0) ?? "", /NOT_ENOUGH_REPLICAS/);
    assert.deepEqual(await sent(), batch);
    lane.answered(0, 0);
    assert.equal(await first, 0);
    assert.equal(lane.stuckFor(0), undefined);
  });

  it("is not sent any more when the lane was stopped", async () => {
    const { lane, publish, sent } = laneOf();
    publish(0).catch(() => undefined);
    await sent();
    lane.lost();
    lane.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(lane.next(), undefined);
  });
});
