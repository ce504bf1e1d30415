// What the broker refuses for good.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { TidingsError } from "../../src/errors/tidings-error.ts";
import { type Bench, drive, Followed, Happened } from "../delivery/support.ts";
import { apart } from "./support.ts";

/** Publishes one event for each; its broker refuses those whose number stands in the set. */
async function refusing(...bad: number[]) {
  const refused = new Set(bad);
  const world = apart();
  const seen: string[] = [];
  const services = () => [
    service("first").on(Happened, ({ data }, ctx) => void ctx.publish(Followed, data)),
    service("second").on(Followed, ({ data }) => void seen.push(`${data.key}/${data.n}`)),
  ];
  world.broker.fail(({ kind, entries }) => {
    const isBad = entries?.some(
      ({ record }) =>
        record.type === "thing.followed" && refused.has((JSON.parse(record.data as string) as { n: number }).n),
    );
    if (kind !== "publish" || !isBad) return undefined;
    return { fail: "before", error: new TidingsError("TIDINGS_EVENT_TOO_LARGE", "Larger than the broker takes.") };
  });
  let b = await world.start(services());
  return {
    world,
    refused,
    seen,
    bench: () => b,
    async restart(): Promise<void> {
      world.kill(b);
      b = await world.start(services());
    },
  };
}

/** The parked rows, as the operator sees them. */
async function parkedOf(b: Bench) {
  return drive(b.clock, b.app.admin.outbox.parked());
}

describe("an event that the broker refuses for good", () => {
  it("waits in the outbox with the later ones of its key, and all others are sent", async () => {
    const world = await refusing(2);
    const b = world.bench();
    await b.feed("a", 1, 2, 3);
    await b.feed("b", 4, 5);
    await b.clock.advance(3000);
    assert.deepEqual([...world.seen].sort(), ["a/1", "b/4", "b/5"]);
    const rows = await parkedOf(b);
    assert.deepEqual(
      rows.map(({ key, refused }) => [key, refused?.code]),
      [
        ["a", "TIDINGS_EVENT_TOO_LARGE"],
        ["a", undefined],
      ],
    );
    const health = await drive(b.clock, b.app.health());
    assert.deepEqual([health.status, health.outbox?.parked, health.outbox?.unsent], ["yellow", 2, 0]);
    await b.app.stop();
  });

  it("is sent again when an operator asks for it, and those behind it follow in order", async () => {
    const world = await refusing(2);
    await world.bench().feed("a", 1, 2, 3);
    await world.restart();
    const b = world.bench();
    await b.feed("a", 4);
    await b.clock.advance(3000);
    const [first] = await parkedOf(b);
    assert.ok(first);
    // As long as it is refused it stays.
    await drive(b.clock, b.app.admin.outbox.retry(first.id));
    await b.clock.advance(3000);
    assert.deepEqual((await parkedOf(b)).length, 3);
    assert.deepEqual(world.seen, ["a/1"]);
    world.refused.clear();
    await drive(b.clock, b.app.admin.outbox.retry(first.id));
    await b.clock.advance(3000);
    assert.deepEqual(await parkedOf(b), []);
    await b.feed("a", 5);
    await b.clock.advance(3000);
    assert.deepEqual(world.seen, ["a/1", "a/2", "a/3", "a/4", "a/5"]);
    await b.app.stop();
  });

  it("is gone when an operator discards it, and those behind it follow", async () => {
    const world = await refusing(2);
    const b = world.bench();
    await b.feed("a", 1, 2, 3);
    await b.clock.advance(3000);
    const [first] = await parkedOf(b);
    assert.ok(first);
    await drive(b.clock, b.app.admin.outbox.discard(first.id));
    await b.clock.advance(3000);
    assert.deepEqual(world.seen, ["a/1", "a/3"]);
    assert.deepEqual(await parkedOf(b), []);
    await b.app.stop();
  });

  it("leaves what was sent before it as it is, when the process dies before it has noted that", async () => {
    const processes = await refusing(2);
    const { world, seen, bench } = processes;
    const heal = world.store.fail(({ kind, transaction }) => {
      const { documents = [] } = transaction ?? {};
      const isProgress =
        documents.length > 0 && documents.every(({ collection }) => collection === "$outbox-positions");
      return kind === "transact" && isProgress ? { fail: "before" } : undefined;
    });
    await bench().feed("a", 1, 2, 3);
    await bench().clock.advance(3000);
    assert.deepEqual(seen, ["a/1"]);
    await processes.restart();
    heal();
    await bench().clock.advance(5000);
    assert.deepEqual(seen, ["a/1"]);
    assert.equal((await parkedOf(bench())).length, 2);
    await bench().app.stop();
  });

  it("is handled when it is taken at last, whatever was sent again before it", async () => {
    const { seen, refused, bench } = await refusing(1, 2);
    const b = bench();
    const others = ["b", "c", "d", "e", "f"];
    await b.feed("a", 1);
    for (const key of others) await b.feed(key, 2);
    await b.clock.advance(3000);
    const rows = await parkedOf(b);
    const first = rows.find(({ key }) => key === "a");
    assert.ok(first && rows.some(({ key, partition }) => key !== "a" && partition === first.partition));
    const retry = async (id: string): Promise<void> => {
      await drive(b.clock, b.app.admin.outbox.retry(id));
      await b.clock.advance(3000);
    };
    await retry(first.id);
    refused.clear();
    for (const { id, key } of rows) if (key !== "a") await retry(id);
    await retry(first.id);
    assert.deepEqual(await parkedOf(b), []);
    assert.deepEqual([...seen].sort(), ["a/1", ...others.map((key) => `${key}/2`)].sort());
    await b.app.stop();
  });

  for (const fail of ["before", "after"] as const)
    it(`is handled once, and all others are, when a note about it fails ${fail} it took effect`, async () => {
      const { world, seen, refused, bench } = await refusing(2);
      let fails = 0;
      const heal = world.store.fail(({ kind, transaction }) => {
        // Whoever asks for something checks what it asks for.
        const { documents = [], checks = [] } = transaction ?? {};
        const isNote = checks.length === 0 && documents.some(({ collection }) => collection === "$outbox-parked");
        return kind === "transact" && isNote && fails++ % 2 === 0 ? { fail } : undefined;
      });
      const b = bench();
      const keys = ["a", "b", "c", "d", "e", "f"];
      for (const key of keys) await b.feed(key, 1, 2, 3);
      await b.clock.advance(10_000);
      refused.clear();
      for (const { id, refused: why } of await parkedOf(b)) {
        if (why) await drive(b.clock, b.app.admin.outbox.retry(id));
        await b.clock.advance(1000);
      }
      heal();
      await b.clock.advance(10_000);
      assert.deepEqual(await parkedOf(b), []);
      for (const key of keys)
        assert.deepEqual(
          seen.filter((one) => one.startsWith(key)),
          [1, 2, 3].map((n) => `${key}/${n}`),
        );
      await b.app.stop();
    });

  it("is not found twice, and not by a name that nothing has", async () => {
    const world = await refusing(2);
    const b = world.bench();
    await b.feed("a", 2);
    await b.clock.advance(3000);
    const { outbox } = b.app.admin;
    await assert.rejects(drive(b.clock, outbox.retry("0/99")), { code: "TIDINGS_NOT_FOUND" });
    await assert.rejects(drive(b.clock, outbox.discard("nonsense")), { code: "TIDINGS_NOT_FOUND" });
    await b.app.stop();
  });
});
