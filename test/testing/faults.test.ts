import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TidingsError } from "tidings";
import { testApp } from "tidings/testing";
import { failingFirst, messageOf, OrderPlaced, PaymentCaptured, payments } from "./support.ts";

describe("a store that fails", () => {
  it("a publish before its effect has published nothing", async () => {
    await using kit = await testApp({ services: [payments()] });
    kit.fail("publish");
    await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }), "TIDINGS_BUSY");
    await kit.thenNothing();
    assert.deepEqual(kit.recording(), []);
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("a publish after its effect has published, and the caller cannot know", async () => {
    await using kit = await testApp({ services: [payments()] });
    kit.fail("publish", { at: "after-effect" });
    await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }, { id: "order-42" }), "TIDINGS_OUTCOME_UNKNOWN");
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
    await kit.when(OrderPlaced, { orderId: "42", total: 9 }, { id: "order-42" });
    await kit.thenNothing();
  });

  it("fails with the error that was asked for, as often as was asked for", async () => {
    await using kit = await testApp({ services: [payments()] });
    kit.fail("publish", { times: 2, error: new TidingsError("TIDINGS_DISK_FULL", "The disk is full.") });
    await messageOf(kit.when(OrderPlaced, { orderId: "1", total: 9 }), "TIDINGS_DISK_FULL");
    await messageOf(kit.when(OrderPlaced, { orderId: "2", total: 9 }), "TIDINGS_DISK_FULL");
    await kit.when(OrderPlaced, { orderId: "3", total: 9 });
  });

  for (const at of ["before-effect", "after-effect"] as const) {
    it(`a commit ${at.replace("-", " its ")} has the handler's effects exactly once, as soon as time passes`, async () => {
      const service = payments();
      await using kit = await testApp({ services: [service] });
      kit.fail("commit", { at, times: 3 });
      await kit.when(OrderPlaced, { orderId: "42", total: 9 });
      await kit.advance("2s");
      assert.deepEqual(service.calls, ["42"]);
      await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
      await kit.thenState("payments", "sums", "42", 9);
    });
  }

  it("a commit lets the next handler of the key wait in virtual time, not in real time", async () => {
    await using kit = await testApp({ services: [payments()] });
    kit.fail("commit", { times: 2 });
    await kit.given([OrderPlaced, { orderId: "42", total: 1 }], [OrderPlaced, { orderId: "42", total: 2 }]);
    await kit.thenState("payments", "sums", "42", undefined);
    await kit.advance("1s");
    await kit.thenState("payments", "sums", "42", 3);
  });

  it("a read is read again", async () => {
    await using kit = await testApp({ services: [payments()] });
    kit.fail("read", { times: 2 });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.advance("10s");
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("every kind of call, one after the other, changes no figure", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const service = payments({ retry: { immediateMs: [0], delayedMs: [1000, 1000, 1000] }, fails: failingFirst(2) });
      await using kit = await testApp({ services: [service], seed });
      let calls = 0;
      kit.fail(({ kind }) => {
        if (kind === "admin" || kind === "publish" || ++calls % 7 !== seed % 7) return undefined;
        return { fail: kind === "read" || seed % 2 === 0 ? "before" : "after" };
      });
      await kit.when(OrderPlaced, { orderId: "42", total: 9 });
      await kit.when(OrderPlaced, { orderId: "7", total: 9 });
      await kit.when(OrderPlaced, { orderId: "42", total: 1 });
      await kit.advance("2m");
      await kit.thenState("payments", "sums", "42", 10);
      await kit.thenPublished(
        [PaymentCaptured, { orderId: "42" }],
        [PaymentCaptured, { orderId: "42" }],
        [PaymentCaptured, { orderId: "7" }],
      );
    }
  });

  it("any read on the way of a redrive does not stop it", async () => {
    for (let failing = 6; failing < 17; failing++) {
      let broken = true;
      const handled: number[] = [];
      const sink = service("sink", { retry: { immediateMs: [], delayedMs: [] } }).on(OrderPlaced, ({ data }) => {
        if (broken) throw new Error("broken");
        handled.push(data.total);
      });
      await using kit = await testApp({ services: [sink] });
      await kit.given([OrderPlaced, { orderId: "42", total: 9 }], [OrderPlaced, { orderId: "42", total: 1 }]);
      broken = false;
      let reads = 0;
      kit.fail(({ kind }) => (kind === "read" && reads++ === failing ? { fail: "before" } : undefined));
      await kit.redrive();
      await kit.advance("10s");
      await kit.thenDeadLetters([]);
      assert.deepEqual(handled, [9, 1]);
    }
  });

  it("works again when the fault is taken away", async () => {
    await using kit = await testApp({ services: [payments()] });
    const stop = kit.fail("publish", { times: 100 });
    await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }), "TIDINGS_BUSY");
    stop();
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
  });

  it("in a way that does not exist is refused", async () => {
    await using kit = await testApp();
    // @ts-expect-error -- no such kind
    assert.throws(() => kit.fail("lunch"), { code: "TIDINGS_INVALID_OPTION" });
    // @ts-expect-error -- no such point
    assert.throws(() => kit.fail("publish", { at: "noon" }), { code: "TIDINGS_INVALID_OPTION" });
    // @ts-expect-error -- no such option
    assert.throws(() => kit.fail("publish", { time: 3 }), { code: "TIDINGS_INVALID_OPTION" });
  });
});
