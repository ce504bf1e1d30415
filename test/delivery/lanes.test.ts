// The lanes of one partition by themselves: what a conflict takes back, and who is told.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StoredRecord } from "../../src/event/record.ts";
import type { Delivery, ResolvedRoute } from "../../src/delivery/lanes/delivery.ts";
import { createHotDocuments } from "../../src/delivery/lanes/hot-documents.ts";
import { Lanes, type LanesOptions } from "../../src/delivery/lanes/lanes.ts";
import { createSlots } from "../../src/delivery/lanes/slots.ts";
import { createSoloGate } from "../../src/delivery/lanes/solo-gate.ts";
import { handlerScope } from "../../src/delivery/run/handler-scope.ts";
import { Turns } from "../../src/delivery/run/turns.ts";
import { silentLogger } from "../../src/delivery/log.ts";
import { createMetrics, subscriptionMetrics } from "../../src/delivery/metrics.ts";
import { defaultPolicy } from "../../src/delivery/policy.ts";
import type { SubscriptionRuntime } from "../../src/delivery/runtime.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { TerminalError } from "tidings";
import { Happened } from "./support.ts";

/** Lanes over a committer that keeps what it is given; `ran` are the positions in the order in which they were run. */
function workshop(handler: (position: number) => void | Promise<void> = () => undefined) {
  const platform = virtualPlatform();
  const ran: number[] = [];
  const waiting: Delivery[] = [];
  const runtime = {
    name: "sink/things",
    platform,
    middlewares: [],
    hooks: {},
    limits: { eventBytesMax: 1e6, depthMax: 64 },
    host: { subscription: "sink/things" },
    log: silentLogger,
    member: { host: "here", appVersion: undefined },
    slots: createSlots(8),
    gate: createSoloGate(),
    turns: new Turns(platform.clock),
    hotDocuments: createHotDocuments(),
    metrics: subscriptionMetrics(createMetrics(), "memory", "things", "sink/things"),
    paused: () => false,
    scope: handlerScope("sink/things"),
  } as unknown as SubscriptionRuntime;
  const lanes = new Lanes({
    runtime,
    committer: {
      add: (delivery: Delivery) => void waiting.push(delivery),
      withdraw: (taken: ReadonlySet<Delivery>) =>
        void waiting.splice(0, waiting.length, ...waiting.filter((delivery) => !taken.has(delivery))),
    },
    claims: { covers: () => true, forgetFailures: () => undefined, noteFailures: () => Promise.resolve() },
    held: { blocks: () => undefined },
    batches: { stop: () => undefined, drop: () => [] },
    onSettled: () => undefined,
  } as unknown as LanesOptions);
  const route = {
    contract: Happened,
    handler: (_event: unknown, ctx: { position: number }) => {
      ran.push(ctx.position);
      return handler(ctx.position);
    },
    batch: undefined,
    policy: defaultPolicy,
  } as unknown as ResolvedRoute;
  const send = (position: number, key: string): Delivery => {
    const record = {
      id: `e${position}`,
      source: "/test",
      type: Happened.type,
      timeMs: 0,
      key,
      attributes: undefined,
      data: JSON.stringify({ key, n: position }),
      topic: "things",
      partition: 0,
      position,
      appendedAtMs: 0,
    } as StoredRecord;
    const delivery = lanes.make(record, route);
    lanes.enqueue(delivery);
    return delivery;
  };
  return { lanes, runtime, platform, ran, waiting, send };
}

describe("lanes", () => {
  it("run a delivery again behind the earlier ones of its key, which stay with the committer", () => {
    const { lanes, ran, waiting, send } = workshop();
    const [first, second, third] = [send(0, "k"), send(1, "k"), send(2, "k")];
    lanes.dispatch();
    assert.deepEqual(ran, [0, 1, 2]);
    // As the committer does it: the stale one is out of its queue before it is told.
    waiting.splice(1, 1);
    second.conflicted("a document");
    assert.deepEqual(ran, [0, 1, 2, 1, 2]);
    assert.deepEqual(waiting, [first, second, third]);
  });

  it("of a lost partition give back every slot, and end what ran alone", async () => {
    const { lanes, runtime, platform, waiting, send } = workshop((position) => {
      if (position === 1) throw new TerminalError("never");
    });
    send(0, "k");
    // Waits with its slot until the one before it is committed, which will never be.
    send(1, "k");
    const suspect = lanes.make(send(2, "other").record, (waiting[0] ?? send(3, "more")).route);
    lanes.find("other")?.queue.splice(0);
    lanes.dispatch();
    let ended = false;
    const alone = lanes.runAlone(suspect).then(() => (ended = true));
    await platform.clock.flush();
    assert.ok(runtime.slots.taken() > 0);
    assert.equal(ended, false);
    void lanes.quiesce();
    lanes.letGo();
    await alone;
    await platform.clock.flush();
    assert.equal(runtime.slots.taken(), 0);
    assert.equal(lanes.running(), 0);
  });

  it("give a key one lane, also when an event of it waits elsewhere while the lane comes to its end", () => {
    let release: (() => void) | undefined;
    const { lanes, ran, waiting, send } = workshop((position) =>
      position === 1 ? new Promise<void>((resolve) => (release = resolve)) : undefined,
    );
    const first = send(0, "k");
    lanes.dispatch();
    // At most once, an event is taken out of a page and waits for a commit before it is put into its lane.
    const late = lanes.make({ ...first.record, position: 1 }, first.route);
    waiting[0]?.committed();
    lanes.enqueue(late);
    send(2, "k");
    lanes.dispatch();
    assert.deepEqual(ran, [0, 1]);
    assert.ok(release);
    release();
  });
});

describe("slots", () => {
  it("are offered to the next one when whoever was woken has nothing to run any more", async () => {
    const slots = createSlots(1);
    const woken: string[] = [];
    assert.ok(slots.take(() => undefined));
    slots.take(() => void woken.push("one that has ended"));
    slots.take(() => void woken.push("the next"));
    slots.give();
    await Promise.resolve();
    assert.deepEqual(woken, ["one that has ended", "the next"]);
  });
});
