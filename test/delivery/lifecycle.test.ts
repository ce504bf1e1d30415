import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCode, lifecycle, service, TerminalError, tidings, TidingsError } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { bench, type Bench, drive, Happened, totalsOf } from "./support.ts";

/** A service that notes every event of the lifecycle. */
function listener(heard: (readonly [type: string, data: object])[]) {
  const note = ({ type, data }: { type: string; data: object }): void => void heard.push([type, data]);
  return service("listener", { from: "start" })
    .on(lifecycle.SubscriptionPaused, note)
    .on(lifecycle.SubscriptionResumed, note)
    .on(lifecycle.DeadLetterParked, note)
    .on(lifecycle.DeadLetterRedriven, note)
    .on(lifecycle.DeadLetterResolved, note)
    .on(lifecycle.DeadLetterDiscarded, note);
}

const typesOf = (heard: readonly (readonly [string, object])[]): readonly string[] => heard.map(([type]) => type);

function picky() {
  const broken = { is: true };
  const it = service("picky").on(Happened, () => {
    if (broken.is) throw new TerminalError("the secret is 42");
  });
  return { broken, it };
}

async function ids({ app, clock }: Bench): Promise<string[]> {
  return (await drive(clock, app.admin.deadLetters.list())).map(({ id }) => id);
}

describe("lifecycle events", () => {
  it("tell what becomes of a dead letter, with ids and fingerprint and without payload or message", async () => {
    const heard: [string, object][] = [];
    const { broken, it } = picky();
    const b = await bench([it, listener(heard)]);
    await b.feed("k", 7);
    const [id] = await ids(b);
    assert.deepEqual(typesOf(heard), ["tidings.deadletter.parked"]);
    const [[, parked]] = heard as [[string, Record<string, unknown>]];
    assert.equal(parked["deadLetter"], id);
    assert.equal(parked["key"], "k");
    assert.equal(parked["reason"], "terminal");
    assert.match(String(parked["fingerprint"]), /^[0-9a-f]{16}$/);
    assert.doesNotMatch(JSON.stringify(heard), /42|"n"/);
    broken.is = false;
    await drive(b.clock, b.app.admin.deadLetters.redrive({}));
    await b.rest();
    assert.deepEqual(typesOf(heard).slice(1), ["tidings.deadletter.redriven", "tidings.deadletter.resolved"]);
    broken.is = true;
    await b.feed("k", 8);
    await drive(b.clock, b.app.admin.deadLetters.discard({}));
    await b.rest();
    assert.deepEqual(typesOf(heard).slice(3), ["tidings.deadletter.parked", "tidings.deadletter.discarded"]);
    await b.app.stop();
  });

  it("tell of a pause and of its end, whoever asked for them", async () => {
    const heard: [string, object][] = [];
    const b = await bench([picky().it, listener(heard)]);
    await drive(b.clock, b.app.admin.subscriptions.pause("picky", { reason: "migration" }));
    await drive(b.clock, b.app.admin.subscriptions.resume("picky"));
    await b.rest();
    const common = { subscription: "picky/things", by: "app bench" };
    assert.deepEqual(heard, [
      ["tidings.subscription.paused", { ...common, reason: "migration" }],
      ["tidings.subscription.resumed", common],
    ]);
    await b.app.stop();
  });

  it("are published in the transaction of the change, so that a refused commit tells nothing", async () => {
    const world = memoryWorld();
    const b = await bench([picky().it], { world, lifecycle: true });
    let refusals = 0;
    const end = world.fail(({ transaction }) => {
      const parks = transaction?.documents?.some(({ collection }) => collection.startsWith("$dead/"));
      if (!parks || ++refusals > 3) return undefined;
      assert.equal(transaction?.publish?.[0]?.record.type, "tidings.deadletter.parked");
      return { fail: "before", error: new TidingsError("TIDINGS_DISK_FULL", "The disk is full.") };
    });
    await b.feed("k", 1);
    await b.clock.advance(10_000);
    const published = (await drive(b.clock, b.app.engine.topics.bounds(lifecycle.topic.name)))[0]?.next;
    assert.deepEqual([published, (await ids(b)).length, refusals], [1, 1, 4]);
    end();
    await b.app.stop();
  });

  it("are not published, and their topic does not exist, when nobody asked for them", async () => {
    const b = await bench([picky().it]);
    await b.feed("k", 1);
    assert.equal((await ids(b)).length, 1);
    assert.equal(await drive(b.clock, b.app.engine.topics.find(lifecycle.topic.name)), undefined);
    await b.app.stop();
  });

  it("do not feed themselves: a subscription to them that always fails parks each once", async () => {
    const failing = service("failing", { from: "start" })
      .on(lifecycle.DeadLetterParked, () => {
        throw new TerminalError("never");
      })
      .on(lifecycle.SubscriptionPaused, () => undefined);
    const b = await bench([picky().it, failing]);
    await b.feed("k", 1);
    await b.clock.advance(60_000);
    const { published } = await drive(b.clock, b.app.totals());
    assert.equal(published, 2);
    assert.equal((await totalsOf(b, "failing/tidings.lifecycle")).deadLetters, 1);
    await b.app.stop();
  });

  it("are asked for by true or false", () => {
    assert.throws(
      () => tidings({ name: "a", lifecycle: "yes" as never }),
      (error) => hasCode(error, "TIDINGS_INVALID_OPTION"),
    );
  });
});
