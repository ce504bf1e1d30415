// The invariants of a redrive, each under its name.
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { service, TerminalError, topic } from "tidings";
import { testApp } from "tidings/testing";
import { z } from "zod";

import { collections, type PositionDocument } from "../../../src/delivery/records.ts";
import type { MemoryCall } from "../../../src/engines/memory/faults.ts";
import type { TestKit } from "../../../src/testing/kit.ts";
import { begin, broken, code, effects, jobs, queue, Queued, untilOver, work, worker } from "./support.ts";

async function positions(kit: TestKit): Promise<readonly PositionDocument[]> {
  const documents = await kit.app.engine.state!.scan(collections.positions, { limit: 100 });
  return documents.map(({ value }) => JSON.parse(value) as PositionDocument);
}

const place = ({ start, low, finished, run }: PositionDocument): unknown => ({ start, low, finished, run });

describe("removal from the dead letters and the delivery are one transaction", () => {
  it("in the commit that sends one back: it is marked, and its key is due, or neither", async () => {
    const { kit } = await broken(3);
    await using _ = kit;
    const commits: (readonly string[])[] = [];
    kit.fail(({ transaction }: MemoryCall) => {
      const names = transaction?.documents?.map(({ collection }) => collection) ?? [];
      const { documents = [] } = transaction ?? {};
      if (documents.some(({ value }) => value?.includes('"state":"redriving"') ?? false)) commits.push(names);
      return undefined;
    });
    await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    const sent = commits.filter((names) => names.includes(collections.deadLetters("worker/jobs")));
    assert.ok(sent.length > 0);
    for (const names of sent) assert.ok(names.includes(collections.held("worker/jobs")), names.join());
  });

  it("in the commit that ends it: the dead letter is closed with the effects of its handler, or neither", async () => {
    const { kit, how } = await broken(1);
    await using _ = kit;
    how.fails = () => false;
    const closing: (readonly string[])[] = [];
    kit.fail(({ transaction }: MemoryCall) => {
      const names = transaction?.documents?.map(({ collection }) => collection) ?? [];
      if (names.includes(collections.closedDeadLetters("worker/jobs"))) closing.push(names);
      return undefined;
    });
    await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    assert.equal(closing.length, 1);
    for (const collection of [
      collections.deadLetters("worker/jobs"),
      collections.state("worker", "times"),
      collections.positions,
    ])
      assert.ok(closing[0]!.includes(collection), collection);
  });
});

describe("a dead letter is never lost in between", () => {
  for (const at of ["before-handler", "before-commit", "after-commit"] as const) {
    it(`when the process dies ${at.replace("-", " ")} of its delivery`, async () => {
      const { kit, how } = await broken(1);
      await using _ = kit;
      how.fails = () => false;
      await kit.crash({ at, service: "worker" });
      const { id } = await begin(kit, { subscription: "worker" });
      const report = await untilOver(kit, id);
      assert.equal(kit.crashes, 1);
      assert.deepEqual([report.succeeded, report.failedAgain], [1, 0]);
      assert.deepEqual(await effects(kit), [1]);
      assert.deepEqual(await kit.deadLetters(), []);
    });
  }

  it("at no moment: after every single commit it is among the dead letters, or closed", async () => {
    const { kit, how } = await broken(5);
    await using _ = kit;
    how.fails = (n) => n === 3;
    let looks = 0;
    const look = async (): Promise<void> => {
      const { state } = kit.app.engine;
      const open = await state!.count(collections.deadLetters("worker/jobs"));
      const closed = await state!.count(collections.closedDeadLetters("worker/jobs"));
      looks += 1;
      assert.equal(open + closed, 5);
    };
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [2] });
    for (let step = 0; step < 200; step++) {
      await kit.advance(10);
      await look();
      if ((await kit.app.admin.redrives.show(id)).endedAtMs !== undefined) break;
    }
    assert.ok(looks > 3);
  });
});

describe("a redrive never touches the position", () => {
  it("of its subscription: place and run stay, and only the counts say what became of it", async () => {
    const { kit, how } = await broken(20);
    await using _ = kit;
    how.fails = (n) => n % 4 === 0;
    const before = await positions(kit);
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    const after = await positions(kit);
    assert.deepEqual(after.map(place), before.map(place));
    const sum = (all: readonly PositionDocument[], name: "held" | "handled"): number =>
      all.reduce((total, { counts }) => total + counts[name], 0);
    assert.equal(sum(before, "held") - sum(after, "held"), report.succeeded);
    assert.equal(sum(after, "handled"), report.succeeded);
  });
});

describe("a redrive goes to the failing subscription only", () => {
  it("others on the topic see nothing of it", async () => {
    const how = work();
    const seen: number[] = [];
    const healthy = service("healthy", { from: "start" }).on(Queued, ({ data }) => void seen.push(data.n));
    const kit = await testApp({ services: [worker(how), healthy] });
    await using _ = kit;
    await queue(kit, 10);
    const before = [...seen];
    how.fails = () => false;
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    assert.equal(report.succeeded, 10);
    assert.deepEqual(seen, before);
    assert.equal((await kit.app.totals()).published, 10);
  });
});

describe("a redrive uses today's policies, handlers and upcasters", () => {
  it("the policy of now: a handler that retries now is retried", async () => {
    const { kit, how } = await broken(1);
    await using _ = kit;
    const today = service("worker", { from: "start", epoch: 2, retry: { immediateMs: [0, 10] } }).on(
      Queued,
      ({ data }) => {
        how.begun.push(data.n);
        if (how.begun.length < 3) throw new Error("not yet");
        how.done.push(data.n);
      },
    );
    await kit.restart({ services: [today] });
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    assert.deepEqual([report.succeeded, how.begun.length, how.done], [1, 3, [0]]);
  });

  it("the handling of failures of now: what fails again is parked, with its key held", async () => {
    const { kit } = await broken(2, { keyOf: () => "same" });
    await using _ = kit;
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    // The second of the key waits behind the first: it is no dead letter of its own.
    assert.deepEqual([report.covered, report.failedAgain], [1, 1]);
    const [held] = await kit.app.admin.heldKeys.list();
    assert.deepEqual([held?.key, held?.reason, held?.events], ["same", "dead", 2]);
  });

  it("the upcasters of now: an event of version 1 reaches a handler of version 2", async () => {
    const things = topic("things", { key: (data: { id: string }) => data.id });
    const V1 = things.event("thing.made", { data: z.object({ id: z.string(), name: z.string() }) });
    const V2 = V1.version(2, {
      data: z.object({ id: z.string(), names: z.array(z.string()) }),
      upcast: ({ id, name }) => ({ id, names: name.split(" ") }),
    });
    const kit = await testApp({
      services: [
        service("namer", { from: "start" }).on(V1, () => {
          throw new TerminalError("broken");
        }),
      ],
    });
    await using _ = kit;
    await kit.given([V1, { id: "1", name: "Ada Lovelace" }]);
    const seen: unknown[] = [];
    await kit.restart({
      services: [service("namer", { from: "start", epoch: 2 }).on(V2, ({ data }) => void seen.push(data.names))],
    });
    await untilOver(kit, (await begin(kit, { subscription: "namer" })).id);
    assert.deepEqual(seen, [["Ada", "Lovelace"]]);
  });
});

describe("the inbox sees the redrive", () => {
  it("a deliberate run is not suppressed as a duplicate, and one that stands in the topic twice still is", async () => {
    const how = work();
    const kit = await testApp({ services: [worker(how, { inbox: { windowMs: 3_600_000 } })] });
    await using _ = kit;
    await queue(kit, 1);
    how.fails = () => false;
    await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    assert.deepEqual([how.begun, how.done], [[0, 0], [0]]);
  });

  it("the same operation asked twice of an owner is one run", async () => {
    const { kit, how } = await broken(1);
    await using _ = kit;
    const { engine, admin } = kit.app;
    const { id } = await begin(kit, { subscription: "worker" });
    const report = await untilOver(kit, id);
    assert.equal(report.failedAgain, 1);
    const begun = how.begun.length;
    const [letter] = await admin.deadLetters.list();
    // As a driver would that died between its question and the answer, while the operation went on.
    const again = { id: "again", subscription: "worker/jobs", partition: letter!.partition, by: "test", atMs: 0 };
    const intent = { ...again, kind: "redrive-many", operation: id, letters: [{ id: letter!.id, redrives: 0 }] };
    const [ended] = await engine.state!.get(collections.endedRedrives, [id]);
    const running = JSON.stringify({ ...(JSON.parse(ended!.value) as object), state: "running" });
    await kit.when(() =>
      engine.transact!({
        documents: [
          { collection: collections.redrives, key: id, value: running },
          { collection: collections.intents, key: "worker/jobs/again", value: JSON.stringify(intent) },
        ],
      }),
    );
    const [answer] = await engine.state!.get(collections.answers, ["again"]);
    assert.deepEqual(JSON.parse(answer!.value), { ok: true, refused: [] });
    assert.equal(how.begun.length, begun);
    assert.equal((await admin.deadLetters.show(letter!.id)).letter.redrives, 1);
  });
});

describe("the original id is kept", () => {
  it("through a redrive that fails and one that succeeds", async () => {
    const { kit, how } = await broken(1);
    await using _ = kit;
    const [before] = await kit.deadLetters();
    await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    const [again] = await kit.deadLetters();
    assert.deepEqual([again!.id, again!.record], [before!.id, before!.record]);
    how.fails = () => false;
    await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    const { letter } = await kit.app.admin.deadLetters.show(before!.id);
    assert.deepEqual([letter.state, letter.record, letter.redrives], ["resolved", before!.record, 2]);
  });
});

describe("an edited copy gets a new id and a link, and the original is resolved in the same step", () => {
  it("with its exact bytes", async () => {
    const { kit, how } = await broken(1);
    await using _ = kit;
    how.fails = (n) => n === 0;
    const [before] = await kit.deadLetters();
    const together: (readonly string[])[] = [];
    kit.fail(({ transaction }: MemoryCall) => {
      const names = transaction?.documents?.map(({ collection }) => collection) ?? [];
      if (names.includes(collections.closedDeadLetters("worker/jobs"))) together.push(names);
      return undefined;
    });
    const { deadLetters } = kit.app.admin;
    const edited = await kit.when(() =>
      deadLetters.edit(before!.id, { patch: [{ op: "replace", path: "/n", value: 7 }] }),
    );
    assert.ok(together[0]?.includes(collections.deadLetters("worker/jobs")));
    const resolved = await deadLetters.list({ state: "resolved" });
    const original = resolved.find(({ record }) => record.id === before!.record.id);
    assert.deepEqual([original?.record, original?.editedTo], [before!.record, edited.id]);
    assert.match(
      original?.note ?? "",
      new RegExp(`edited: the dead letter ${before!.id} went on with the event ${edited.id}`),
    );
    const copy = resolved.find(({ id }) => id === before!.id);
    assert.deepEqual([copy?.record.id, copy?.editedFrom], [edited.id, before!.record.id]);
    assert.notEqual(edited.id, before!.record.id);
    assert.deepEqual(how.done, [7]);
  });
});

describe("two operators at once: one wins, the other gets a conflict", () => {
  it("who begin the same redrive", async () => {
    const { kit, how } = await broken(20);
    await using _ = kit;
    how.fails = () => false;
    const { redrives } = kit.app.admin;
    const answers = await kit.when(() =>
      Promise.allSettled([1, 2, 3].map(() => redrives.start({ subscription: "worker" }))),
    );
    const won = answers.filter(({ status }) => status === "fulfilled");
    assert.equal(won.length, 1);
    for (const answer of answers) if (answer.status === "rejected") code("TIDINGS_REDRIVE_CONFLICT")(answer.reason);
    const [report] = await redrives.list();
    assert.equal((await untilOver(kit, report!.id)).succeeded, 20);
    assert.equal(how.begun.length, 20);
    assert.ok((await effects(kit)).every((times) => times === 1));
    assert.equal(await kit.app.engine.state!.count(collections.redriveItems), 0);
  });

  it("who cover some of the same: the message names the other operation", async () => {
    const { kit } = await broken(4);
    await using _ = kit;
    const first = await begin(kit, { key: "k1" }, { ramp: [1] });
    await kit.app.admin.redrives.pause(first.id);
    await assert.rejects(begin(kit, { subscription: "worker" }), (error) => {
      assert.match(
        (error as Error).message,
        new RegExp(`The redrive ${first.id} \\(paused, by app test\\) covers 1 of these 4`),
      );
      return code("TIDINGS_REDRIVE_CONFLICT")(error);
    });
    await kit.app.admin.redrives.cancel(first.id);
    await untilOver(kit, first.id);
    assert.equal((await begin(kit, { subscription: "worker" })).covered, 4);
  });

  it("of whom one redrives by hand what the operation of the other still covers", async () => {
    const { kit, how } = await broken(3);
    await using _ = kit;
    how.fails = () => false;
    const { id } = await begin(kit, { subscription: "worker" });
    await kit.app.admin.redrives.pause(id);
    await kit.redrive();
    await kit.app.admin.redrives.resume(id);
    const report = await untilOver(kit, id);
    assert.equal(report.skipped + report.succeeded, 3);
    assert.equal(how.begun.length, 3);
  });
});

describe("a record is unique for a subscription and an event", () => {
  it("parking again updates it, also through crashes and three redrives", async () => {
    const { kit } = await broken(3);
    await using _ = kit;
    const ids = (await kit.deadLetters()).map(({ id }) => id).sort();
    for (let round = 1; round <= 3; round++) {
      const { id } = await begin(kit, { subscription: "worker" });
      await kit.advance(30);
      await kit.crash();
      await untilOver(kit, id);
      const letters = await kit.deadLetters();
      assert.deepEqual(letters.map((letter) => letter.id).sort(), ids);
      assert.ok(letters.every(({ redrives, state }) => redrives === round && state === "open"));
    }
  });
});

describe("redriving twice does not do the effect twice", () => {
  it("one that has succeeded is no dead letter any more", async () => {
    const { kit, how } = await broken(1);
    await using _ = kit;
    const [letter] = await kit.deadLetters();
    how.fails = () => false;
    await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    await assert.rejects(begin(kit, { ids: [letter!.id] }), code("TIDINGS_NOTHING_SELECTED"));
    const { refused } = await kit.when(() => kit.app.admin.deadLetters.redrive({ ids: [letter!.id] }));
    assert.deepEqual(
      refused.map((refusal) => refusal.code),
      ["TIDINGS_DEAD_LETTER_STATE"],
    );
    assert.deepEqual(await effects(kit), [1]);
  });

  it("an effect outside that was remembered by once() before the failure is not repeated", async () => {
    let charged = 0;
    let mended = false;
    const charge = service("charge", { from: "start" }).on(Queued, async (_event, ctx) => {
      await ctx.once("charge", () => void (charged += 1));
      if (!mended) throw new TerminalError("the printer is broken");
    });
    const kit = await testApp({ services: [charge] });
    await using _ = kit;
    await queue(kit, 1);
    mended = true;
    const report = await untilOver(kit, (await begin(kit, { subscription: "charge" })).id);
    assert.deepEqual([report.succeeded, charged], [1, 1]);
  });
});

describe("the order of a key is kept", () => {
  it("where events pass each other: of one key only one is under way at a time, in the order of the topic", async () => {
    const how = work();
    const kit = await testApp({ services: [worker(how, { onFailure: "skipAhead" })] });
    await using _ = kit;
    await queue(kit, 30, (n) => `k${n % 3}`);
    assert.equal((await kit.deadLetters()).length, 30);
    how.begun.length = 0;
    how.fails = () => false;
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" }, { ramp: [100] })).id);
    assert.equal(report.succeeded, 30);
    for (const key of [0, 1, 2]) {
      const mine = how.done.filter((n) => n % 3 === key);
      assert.deepEqual(
        mine,
        [...mine].sort((a, b) => a - b),
      );
    }
  });

  it("where later events wait behind the dead letter: they follow it, each once", async () => {
    const { kit, how } = await broken(30, { keyOf: (n) => `k${n % 3}` });
    await using _ = kit;
    how.fails = () => false;
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    assert.equal(report.covered, 3);
    await kit.settled();
    assert.equal(how.done.length, 30);
    for (const key of [0, 1, 2]) {
      const mine = how.done.filter((n) => n % 3 === key);
      assert.deepEqual(
        mine,
        [...mine].sort((a, b) => a - b),
      );
    }
    assert.ok(jobs.name);
  });
});
