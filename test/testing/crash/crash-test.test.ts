import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TerminalError, topic } from "tidings";
import { crashTest, type CrashTestOptions } from "tidings/testing";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), total: z.number() }) });
const PaymentCaptured = orders.event("shop.payment.captured", { data: z.object({ orderId: z.string() }) });

const payments = () =>
  service("payments").on(OrderPlaced, async (order, ctx) => {
    const sums = ctx.state<number>("sums");
    sums.set(order.data.orderId, ((await sums.get(order.data.orderId)) ?? 0) + order.data.total);
    ctx.publish(PaymentCaptured, { orderId: order.data.orderId });
  });
const mail = (outside?: Map<string, number>) =>
  service("mail").on(PaymentCaptured, ({ data }) => {
    const name = `mail about ${data.orderId}`;
    outside?.set(name, (outside.get(name) ?? 0) + 1);
  });

const workload: CrashTestOptions["workload"] = async ({ publish, publishAll }) => {
  await publish([OrderPlaced, { orderId: "42", total: 9 }]);
  await publishAll([
    [OrderPlaced, { orderId: "42", total: 1 }],
    [OrderPlaced, { orderId: "43", total: 2 }],
  ]);
};

describe("crashTest", () => {
  it("kills each handler at each point and finds nothing wrong with what goes through the context", async () => {
    const report = await crashTest({ services: [payments(), mail()], workload });
    assert.deepEqual(
      report.steps.map(({ service, event, point, crashes }) => [service, event, point, crashes]),
      [
        ["payments", "shop.order.placed", "before-handler", 1],
        ["payments", "shop.order.placed", "before-commit", 1],
        ["payments", "shop.order.placed", "after-commit", 1],
        ["mail", "shop.payment.captured", "before-handler", 1],
        ["mail", "shop.payment.captured", "before-commit", 1],
        ["mail", "shop.payment.captured", "after-commit", 1],
      ],
    );
    const { lost, doubled, reordered, leftOver, outside } = report;
    assert.deepEqual([lost, doubled, reordered, leftOver, outside], [0, 0, 0, 0, 0], JSON.stringify(report.steps));
  });

  it("shows what is done again outside", async () => {
    const report = await crashTest({ services: ({ outside }) => [payments(), mail(outside)], workload });
    const repeated = report.steps.filter(({ outside }) => outside > 0);
    assert.deepEqual(
      repeated.map(({ service, point, findings }) => [service, point, findings]),
      [["mail", "before-commit", ["outside: mail about 42 3 times, and 2 without the crash"]]],
    );
  });

  it("finds what a handler keeps in its memory and loses", async () => {
    // The sum lives in a variable, and a new process begins with none.
    const forgetful = () => {
      const seen = new Set<string>();
      return service("payments").on(OrderPlaced, (order, ctx) => {
        const id = `${order.data.orderId}/${order.data.total}`;
        if (seen.has(id)) return;
        seen.add(id);
        ctx.publish(PaymentCaptured, { orderId: order.data.orderId });
      });
    };
    const report = await crashTest({ services: () => [forgetful()], workload });
    const step = report.steps.find(({ point }) => point === "before-commit");
    assert.equal(step?.lost, 1);
    assert.match(step?.findings[0] ?? "", /^lost: shop\.payment\.captured \{"orderId":"42"\} by payments \(1 of 2\)$/);
  });

  it("finds an event that is a dead letter only because its process died too often", async () => {
    const report = await crashTest({ services: [payments()], workload, times: 4 });
    const step = report.steps.find(({ point }) => point === "before-handler");
    assert.equal(step?.crashes, 4);
    assert.ok(step.lost > 0);
    assert.ok(step.leftOver > 0);
    assert.ok(
      step.findings.some((each) => /^left over: shop\.order\.placed .*dead letter/.test(each)),
      step.findings.join("\n"),
    );
  });

  it("does not mind retries, dead letters, times and ids", async () => {
    const tries = new Map<string, number>();
    const flaky = service("payments").on(OrderPlaced, (order, ctx) => {
      const count = (tries.get(order.id) ?? 0) + 1;
      tries.set(order.id, count);
      if (order.data.total === 1) throw new TerminalError("one is too little");
      if (order.data.total === 2 && count % 6 !== 0) throw new Error("later");
      ctx.state<object>("seen").set(order.data.orderId, { at: ctx.now(), event: order.id, time: order.time });
    });
    const { steps, lost, doubled, leftOver } = await crashTest({ services: () => (tries.clear(), [flaky]), workload });
    assert.deepEqual([lost, doubled, leftOver], [0, 0, 0], JSON.stringify(steps, undefined, 1));
  });

  it("says when the workload leads to no such handler", async () => {
    const { steps } = await crashTest({ services: [payments()], workload: async () => undefined });
    assert.deepEqual(
      steps.map(({ crashes }) => crashes),
      [0, 0, 0],
    );
  });

  it("refuses what cannot be meant", async () => {
    for (const [options, message] of [
      [{ services: [payments()] }, /needs a workload/],
      [{ workload }, /needs services/],
      [{ services: [payments()], workload, times: 0 }, /at least 1 as times/],
      [{ services: [payments()], workload, service: "nobody" }, /the service "nobody", .* there are payments\./],
      [{ services: [], workload }, /no service with a handler/],
      [{ services: [payments()], workload, tmies: 2 }, /tmies/],
    ] as const)
      await assert.rejects(crashTest(options as never), (error: { code?: string; message: string }) => {
        assert.equal(error.code, "TIDINGS_INVALID_OPTION");
        assert.match(error.message, message);
        return true;
      });
  });
});
