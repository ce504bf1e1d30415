// Which store belongs to which broker.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { adoptStore } from "../../src/outbox/binding.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { bench, drive, Happened } from "../delivery/support.ts";
import { apart } from "./support.ts";

function collecting() {
  const seen: number[] = [];
  const services = [service("first", { from: "start" }).on(Happened, ({ data }) => void seen.push(data.n))];
  return { seen, services };
}

describe("a store that serves a broker", () => {
  it("serves no other one, whose events its relays would send to the wrong place", async () => {
    const world = apart();
    const b = await world.start([]);
    const other = memoryWorld();
    const elsewhere = { memberId: "two", engine: { open: other.open.bind(other) } };
    await assert.rejects(world.start(collecting().services, elsewhere), {
      code: "TIDINGS_STORE_MISMATCH",
      message: /serves another broker/,
    });
    await assert.rejects(world.start([], elsewhere), { code: "TIDINGS_STORE_MISMATCH" });
    await drive(b.clock, b.app.stop());
  });

  it("serves another one when an operator says so", async () => {
    const world = apart();
    const b = await world.start(collecting().services);
    await drive(b.clock, b.app.stop());
    const other = apart();
    const engine = { open: other.broker.open.bind(other.broker) };
    await assert.rejects(world.start(collecting().services, { engine }), { code: "TIDINGS_STORE_MISMATCH" });
    const { platform } = b;
    const broker = await other.broker.open({ platform });
    const store = await world.store.open({ platform });
    await drive(b.clock, adoptStore({ ...broker, broker, store } as never, platform));
    const next = collecting();
    const c = await world.start(next.services, { engine });
    await c.feed("a", 1);
    assert.deepEqual(next.seen, [1]);
    await drive(c.clock, c.app.stop());
  });
});

describe("a subscription whose place stands in a store apart", () => {
  it("does not start with none, which would handle every event once more, until an operator says so", async () => {
    const world = apart();
    const { seen, services } = collecting();
    const b = await world.start(services);
    await b.feed("a", 1, 2);
    await drive(b.clock, b.app.stop());
    const alone = { world: world.broker, platform: b.platform as never };
    await assert.rejects(bench(services, alone), { code: "TIDINGS_STORE_MISMATCH", message: /TIDINGS_STORE/ });
    assert.deepEqual(seen, [1, 2]);
    const publisher = await bench([], alone);
    assert.deepEqual(await drive(b.clock, publisher.app.admin.engine.adopt()), ["first/things"]);
    await drive(b.clock, publisher.app.stop());
    const c = await bench(services, alone);
    await c.clock.advance(1000);
    assert.deepEqual(seen, [1, 2, 1, 2]);
    await drive(c.clock, c.app.stop());
    await assert.rejects(world.start(services), { code: "TIDINGS_STORE_MISMATCH" });
  });
});
