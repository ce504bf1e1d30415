// Events that units of work publish, on their way from a store to a broker.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { TidingsError } from "../../src/errors/tidings-error.ts";
import { type Bench, drive, Followed, Happened, totalsOf } from "../delivery/support.ts";
import { apart } from "./support.ts";

/** Publishes one event for each, and notes what comes of it. */
function chain() {
  const seen: string[] = [];
  const first = service("first").on(Happened, ({ data }, ctx) => void ctx.publish(Followed, data));
  const second = service("second").on(Followed, async ({ data }, ctx) => {
    const box = ctx.state<number[]>("seen");
    box.set(data.key, [...((await box.get(data.key)) ?? []), data.n]);
    seen.push(`${data.key}/${data.n}`);
  });
  return { seen, services: [first, second] };
}

async function stateOf(b: Bench, key: string): Promise<number[] | undefined> {
  return drive(b.clock, b.app.state<number[]>("second", "seen").get(key));
}

/** How many events of `Followed` the broker holds, repeats among them. */
async function followed(b: Bench): Promise<number> {
  let events = 0;
  for (const partition of [0, 1]) {
    const page = await drive(
      b.clock,
      b.app.engine.topics.read("things", partition, 0, { events: 10_000, bytes: 10_000_000 }),
    );
    events += page.records.filter(({ type }) => type === "thing.followed").length;
  }
  return events;
}

const numbers = Array.from({ length: 20 }, (_, n) => n);

describe("an application with a store apart from its broker", () => {
  it("carries its events by the broker alone, and keeps everything else in the store", async () => {
    const world = apart();
    const { services } = chain();
    const kinds = new Set<string>();
    world.broker.observe(({ kind }) => kinds.add(kind));
    const b = await world.start(services);
    await b.feed("a", ...numbers);
    await drive(b.clock, b.app.settled({ timeoutMs: 10_000 }));
    assert.deepEqual(await stateOf(b, "a"), numbers);
    assert.deepEqual([...kinds].sort(), ["admin", "publish", "read"]);
    assert.equal(await followed(b), 20);
    await b.app.stop();
  });

  it("handles each event once when the relay does not know what became of what it has sent", async () => {
    const world = apart();
    const { services } = chain();
    let lost = 0;
    world.broker.fail(({ kind, entries }) =>
      kind === "publish" && entries?.some(({ record }) => record.type === "thing.followed") && lost++ % 3 < 2
        ? { fail: "after" }
        : undefined,
    );
    const b = await world.start(services);
    for (const n of numbers) await b.feed("a", n);
    await drive(b.clock, b.app.settled({ timeoutMs: 60_000 }));
    assert.deepEqual(await stateOf(b, "a"), numbers);
    assert.ok((await followed(b)) > 20, "the broker holds repeats");
    const { handled, filtered, pending } = await totalsOf(b, "second/things");
    assert.deepEqual([handled, pending], [20, 0]);
    assert.ok(filtered > 20);
    await b.app.stop();
  });

  it("sends what a dead process had left in its outbox, in order and once", async () => {
    const world = apart();
    let b = await world.start(chain().services);
    const heal = world.broker.fail(({ kind, entries }) =>
      kind === "publish" && entries?.some(({ record }) => record.type === "thing.followed")
        ? { fail: "before" }
        : undefined,
    );
    await b.feed("a", ...numbers);
    assert.equal(await followed(b), 0);
    world.kill(b);
    heal();
    b = await world.start(chain().services);
    await drive(b.clock, b.app.settled({ timeoutMs: 60_000 }));
    assert.deepEqual(await stateOf(b, "a"), numbers);
    assert.equal(await followed(b), 20);
    await b.app.stop();
  });

  it("repeats what a dead process had sent and not noted, and handles it once", async () => {
    const world = apart();
    let b = await world.start(chain().services);
    const heal = world.store.fail(({ kind, transaction }) =>
      kind === "transact" && transaction?.documents?.some(({ collection }) => collection === "$outbox-positions")
        ? { fail: "before" }
        : undefined,
    );
    await b.feed("a", ...numbers);
    await b.clock.advance(1000);
    assert.equal(await followed(b), 20);
    world.kill(b);
    heal();
    b = await world.start(chain().services);
    await drive(b.clock, b.app.settled({ timeoutMs: 60_000 }));
    assert.deepEqual(await stateOf(b, "a"), numbers);
    assert.equal(await followed(b), 40);
    await b.feed("a", 20);
    await drive(b.clock, b.app.settled({ timeoutMs: 60_000 }));
    assert.deepEqual(await stateOf(b, "a"), [...numbers, 20]);
    await b.app.stop();
  });

  it("refuses at once what the broker would refuse later", async () => {
    const b = await apart().start(chain().services);
    const { engine } = b.app;
    const data = "x".repeat(engine.capabilities.eventBytesMax);
    const record = { id: "1", source: "/test", type: "large", timeMs: 0, key: null, attributes: undefined, data };
    const publishing = async (): Promise<unknown> =>
      engine.transact?.({ publish: [{ topic: "things", partition: 0, record }] });
    await assert.rejects(drive(b.clock, publishing()), { code: "TIDINGS_EVENT_TOO_LARGE" });
    await b.app.stop();
  });

  it("sends what its handlers have published before it stops", async () => {
    const world = apart();
    const b = await world.start(chain().services);
    let slow = true;
    world.broker.fail(({ kind, entries }) =>
      slow && kind === "publish" && entries?.some(({ record }) => record.type === "thing.followed")
        ? { delayMs: 500 }
        : undefined,
    );
    await b.feed("a", ...numbers);
    await drive(b.clock, b.app.stop());
    slow = false;
    const next = await world.start([]);
    assert.equal(await followed(next), 20);
    await next.app.stop();
  });

  it("says in its health why nothing is sent, and goes on when the broker does", async () => {
    const world = apart();
    const b = await world.start(chain().services);
    const heal = world.broker.fail(({ kind, entries }) =>
      kind === "publish" && entries?.some(({ record }) => record.type === "thing.followed")
        ? { fail: "before", error: new TidingsError("TIDINGS_UNREACHABLE", "The broker is away.") }
        : undefined,
    );
    await b.feed("a", ...numbers);
    await b.clock.advance(5000);
    const health = await drive(b.clock, b.app.health());
    assert.equal(health.status, "red");
    assert.match(health.outbox?.trouble ?? "", /the outbox cannot be sent: The broker is away\./);
    assert.equal(health.outbox?.unsent, 20);
    await assert.rejects(drive(b.clock, b.app.settled({ timeoutMs: 1000 })), /outbox: 20 not sent to the broker/);
    heal();
    await drive(b.clock, b.app.settled({ timeoutMs: 10_000 }));
    assert.equal((await drive(b.clock, b.app.health())).outbox?.trouble, undefined);
    assert.deepEqual(await stateOf(b, "a"), numbers);
    await b.app.stop();
  });

  it("says in its health that the broker does not answer, and does not wait for it for ever when it stops", async () => {
    const world = apart();
    const b = await world.start(chain().services);
    const heal = world.broker.fail(({ kind, entries }) =>
      kind === "publish" && entries?.some(({ record }) => record.type === "thing.followed")
        ? { answerDelayMs: 60_000 }
        : undefined,
    );
    await b.feed("a", ...numbers);
    await b.clock.advance(5000);
    assert.equal((await drive(b.clock, b.app.health())).status, "green");
    await b.clock.advance(10_000);
    const health = await drive(b.clock, b.app.health());
    assert.equal(health.status, "red");
    assert.match(health.outbox?.trouble ?? "", /the broker has not answered for 15 s/);
    heal();
    const stopping = b.app.stop({ timeoutMs: 2000 });
    await b.clock.advance(4000);
    // The others do not wait for what this one has in hand, which it cannot take back.
    const next = await world.start(chain().services, { memberId: "two" });
    await next.feed("b", ...numbers);
    await drive(next.clock, next.app.settled({ timeoutMs: 10_000 }));
    assert.deepEqual(await stateOf(next, "b"), numbers);
    await b.clock.advance(60_000);
    await stopping;
    await drive(next.clock, next.app.stop());
  });

  it("handles nothing again that is repeated behind the place to which a subscription was moved forward", async () => {
    const world = apart();
    let b = await world.start(chain().services);
    const heal = world.store.fail(({ kind, transaction }) =>
      kind === "transact" && transaction?.documents?.some(({ collection }) => collection === "$outbox-positions")
        ? { fail: "before" }
        : undefined,
    );
    await b.feed("a", ...numbers);
    await b.clock.advance(1000);
    await drive(b.clock, b.app.admin.subscriptions.seek("second", "end"));
    world.kill(b);
    heal();
    b = await world.start(chain().services);
    await drive(b.clock, b.app.settled({ timeoutMs: 60_000 }));
    assert.equal(await followed(b), 40);
    assert.deepEqual(await stateOf(b, "a"), numbers);
    await b.app.stop();
  });

  it("does not let a relay that was fenced, and does not know it, double or disorder anything", async () => {
    const world = apart();
    const one = await world.start(chain().services, { memberId: "one" });
    // What the first one sends takes long to arrive, longer than its leases last.
    let late = 0;
    const heal = world.broker.fail(({ kind, engine, entries }) => {
      if (kind !== "publish" || !entries?.some(({ record }) => record.type === "thing.followed")) return undefined;
      if (engine !== (one.app.engine as unknown as { broker: unknown }).broker) return undefined;
      late += 1;
      return { delayMs: 20_000 };
    });
    await one.feed("a", ...numbers);
    assert.ok(late > 0);
    const lost = world.store.fail(({ engine }) =>
      engine === (one.app.engine as unknown as { store: unknown }).store ? { fail: "before" } : undefined,
    );
    const two = await world.start(chain().services, { memberId: "two" });
    await two.clock.advance(15_000);
    assert.equal(await followed(two), 20);
    heal();
    await two.clock.advance(10_000);
    assert.equal(await followed(two), 40, "the late ones have arrived");
    lost();
    await two.feed("a", 20);
    await drive(two.clock, two.app.settled({ timeoutMs: 60_000 }));
    assert.deepEqual(await stateOf(two, "a"), [...numbers, 20]);
    await drive(two.clock, Promise.all([one.app.stop(), two.app.stop()]));
  });
});
