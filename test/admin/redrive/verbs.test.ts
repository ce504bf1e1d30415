import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { RetryAfterError, service } from "tidings";
import { z } from "zod";

import { collections } from "../../../src/delivery/records.ts";
import { itemStatus } from "../../../src/delivery/redrive/documents.ts";
import { driverLease } from "../../../src/delivery/redrive/driver.ts";
import { readOutcomes } from "../../../src/delivery/redrive/outcomes.ts";
import type { RedriveOptions } from "../../../src/admin/redrive-options.ts";
import { assertExact, begin, broken, code, jobs, queue, untilOver, work, worker } from "./support.ts";

describe("a redrive", () => {
  it("sends everything back that it covers, and says so", async () => {
    const { kit, how } = await broken(30);
    await using _ = kit;
    how.fails = () => false;
    const begun = await begin(kit, { subscription: "worker" }, { reason: "mended in 1.4" });
    assert.deepEqual([begun.state, begun.covered, begun.remaining, begun.moved], ["running", 30, 30, 0]);
    const report = await untilOver(kit, begun.id);
    assert.deepEqual([report.state, report.succeeded, report.failedAgain, report.skipped], ["done", 30, 0, 0]);
    assert.equal(report.reason, "mended in 1.4");
    assert.deepEqual(
      report.log.map(({ what }) => what),
      ["started", "ended"],
    );
    await assertExact(kit, report);
    assert.equal(how.done.length, 30);
    const { deadLetters } = kit.app.admin;
    assert.equal(await deadLetters.count(), 0);
    assert.deepEqual(
      (await kit.app.admin.redrives.list()).map(({ id }) => id),
      [begun.id],
    );
    const { state } = kit.app.engine;
    for (const collection of [collections.redrives, collections.redriveItems, collections.intents, collections.answers])
      assert.equal(await state!.count(collection), 0, collection);
  });

  it("goes up its ramp", async () => {
    const { kit, how } = await broken(200);
    await using _ = kit;
    how.fails = () => false;
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" }, { ramp: [1, 5, 20] })).id);
    // 1, 5, then 20 ten times, of which the last is 14.
    assert.deepEqual([report.succeeded, report.batches], [200, 12]);
  });

  it("waits for the outcomes of a batch, and for one that takes too long not for ever", async () => {
    const { kit, how } = await broken(4);
    await using _ = kit;
    how.fails = () => false;
    how.during = () => {
      if (how.begun.length === 1) throw new RetryAfterError("later", 600_000);
    };
    const { redrives } = kit.app.admin;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [1], batchTimeoutMs: 30_000 });
    await kit.advance("25s");
    assert.deepEqual([(await redrives.show(id)).moved, (await redrives.show(id)).underWay], [1, 1]);
    await kit.advance("2m");
    const held = await redrives.show(id);
    assert.deepEqual([held.moved, held.underWay, held.succeeded, held.endedAtMs], [4, 1, 3, undefined]);
    await kit.advance("10m");
    const report = await untilOver(kit, id);
    assert.deepEqual([report.state, report.succeeded], ["done", 4]);
  });

  it("keeps to its rate", async () => {
    const { kit, how } = await broken(50);
    await using _ = kit;
    how.fails = () => false;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [1000], perSecond: 10 });
    const counts: number[] = [];
    for (let second = 0; second < 4; second++) {
      await kit.advance("1s");
      counts.push(how.done.length);
    }
    for (const [second, count] of counts.entries())
      assert.ok(count <= 10 * (second + 1) + 10 && count >= 10 * second, JSON.stringify(counts));
    assert.equal((await untilOver(kit, id)).succeeded, 50);
  });

  it("sends a canary first, and aborts when one of it fails", async () => {
    const { kit, how } = await broken(50);
    await using _ = kit;
    how.fails = (n) => n === how.begun[2];
    const { id } = await begin(kit, { subscription: "worker" }, { canary: 3, ramp: [100] });
    const report = await untilOver(kit, id);
    assert.deepEqual([report.state, report.moved, report.succeeded, report.failedAgain], ["aborted", 3, 2, 1]);
    assert.match(report.log.find(({ what }) => what === "aborted")!.reason!, /1 of the first 3 did not succeed/);
    await assertExact(kit, report);
    how.fails = () => false;
    // What was not sent back is as it was: another redrive with the same filter goes on.
    const next = await untilOver(kit, (await begin(kit, { subscription: "worker" }, { canary: 3, ramp: [100] })).id);
    assert.deepEqual([next.state, next.covered, next.succeeded, next.batches], ["done", 48, 48, 2]);
  });

  it("aborts at a number of failures, and covers at most what it may", async () => {
    const { kit, how } = await broken(60);
    await using _ = kit;
    how.fails = (n) => n % 2 === 0;
    const options: RedriveOptions = { max: 40, ramp: [5], abort: { count: 4 } };
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" }, options)).id);
    assert.deepEqual([report.state, report.covered], ["aborted", 40]);
    assert.ok(report.failedAgain > 4 && report.failedAgain <= 9, String(report.failedAgain));
    await assertExact(kit, report);
  });

  it("pauses, resumes and is cancelled, by whom and why standing in its story", async () => {
    const { kit, how } = await broken(100);
    await using _ = kit;
    const { redrives } = kit.app.admin;
    how.fails = () => false;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [10], perSecond: 10 });
    await kit.advance("2s");
    await redrives.pause(id, { reason: "the database is slow" });
    await kit.advance("5s");
    const before = await redrives.show(id);
    assert.deepEqual([before.state, before.underWay], ["paused", 0]);
    assert.ok(before.moved > 0 && before.moved < 100);
    await kit.advance("1m");
    assert.equal((await redrives.show(id)).moved, before.moved);
    await assert.rejects(redrives.pause(id), code("TIDINGS_REDRIVE_STATE"));
    await redrives.resume(id);
    await kit.advance("3s");
    assert.ok((await redrives.show(id)).moved > before.moved);
    await redrives.cancel(id, { reason: "enough" });
    const report = await untilOver(kit, id);
    assert.equal(report.state, "cancelled");
    assert.deepEqual(
      report.log.map(({ what }) => what),
      ["started", "paused", "resumed", "cancelled", "ended"],
    );
    assert.equal(report.log[1]?.reason, "the database is slow");
    await assertExact(kit, report);
    assert.equal(await kit.app.admin.deadLetters.count({ state: "open" }), 100 - report.succeeded);
    await assert.rejects(redrives.resume(id), code("TIDINGS_REDRIVE_STATE"));
    await assert.rejects(redrives.cancel(id), code("TIDINGS_REDRIVE_STATE"));
    await assert.rejects(redrives.show("nothing"), code("TIDINGS_NOT_FOUND"));
  });

  it("says what it would cover, and writes nothing", async () => {
    const { kit } = await broken(12, { keyOf: (n) => (n < 4 ? null : `k${n}`) });
    await using _ = kit;
    const before = (await kit.app.engine.info()) as object;
    const plan = await kit.app.admin.redrives.plan({ subscription: "worker" }, { canary: 2 });
    assert.deepEqual([plan.covered, plan.subscriptions, plan.keys], [12, { "worker/jobs": 12 }, 8]);
    assert.deepEqual(Object.values(plan.groups), [12]);
    assert.equal(plan.pace.canary, 2);
    assert.deepEqual(await kit.app.engine.info(), before);
    assert.deepEqual(await kit.app.admin.redrives.list(), []);
  });

  it("covers what was there when it began, and not what fails later", async () => {
    const { kit, how } = await broken(5);
    await using _ = kit;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [1], perSecond: 1 });
    await queue(kit, 3, (n) => `late${n}`);
    how.fails = () => false;
    const report = await untilOver(kit, id);
    assert.equal(report.covered, 5);
    assert.equal(await kit.app.admin.deadLetters.count(), 3 + report.failedAgain);
  });

  it("selects by key, type, tenant, reason, fault and time", async () => {
    const { kit } = await broken(6);
    await using _ = kit;
    const { redrives, deadLetters } = kit.app.admin;
    const [letter] = await deadLetters.list({ key: "k2" });
    await kit.advance("1h");
    await queue(kit, 1, () => "late");
    const now = kit.clock.now();
    const count = async (filter: Parameters<typeof redrives.plan>[0]): Promise<number> =>
      (await redrives.plan(filter)).covered;
    assert.equal(await count({ key: "k2" }), 1);
    assert.equal(await count({ ids: [letter!.id] }), 1);
    assert.equal(await count({ type: "job.queued", reason: "terminal" }), 7);
    assert.equal(await count({ fingerprint: letter!.failure.fingerprint }), 7);
    assert.equal(await count({ sinceMs: now - 60_000 }), 1);
    assert.equal(await count({ beforeMs: now - 60_000 }), 6);
    await assert.rejects(count({ tenant: "acme" }), code("TIDINGS_NOTHING_SELECTED"));
  });

  it("waits while its subscription is paused, and goes on by itself", async () => {
    const { kit, how } = await broken(3);
    await using _ = kit;
    how.fails = () => false;
    await kit.app.admin.subscriptions.pause("worker", { reason: "deploy" });
    const { id } = await begin(kit, { subscription: "worker" });
    await kit.advance("10s");
    const waiting = await kit.app.admin.redrives.show(id);
    assert.deepEqual(
      [waiting.state, waiting.moved, waiting.waitingFor],
      ["running", 0, "worker/jobs, which is paused"],
    );
    await kit.app.admin.subscriptions.resume("worker");
    const report = await untilOver(kit, id);
    assert.deepEqual([report.succeeded, report.waitingFor], [3, undefined]);
  });

  it("skips what somebody else has discarded or redriven meanwhile, and says why", async () => {
    const { kit, how } = await broken(6);
    await using _ = kit;
    const { admin } = kit.app;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [1], perSecond: 1 });
    await admin.redrives.pause(id);
    const moved = (await admin.redrives.show(id)).moved;
    const letters = (await admin.deadLetters.list()).filter(({ redrive }) => redrive === undefined);
    const [one, two] = letters.slice(-2).map((letter) => letter.id) as [string, string];
    await kit.when(() => admin.deadLetters.discard({ ids: [one] }));
    await kit.redrive(letters.filter((letter) => letter.id === two));
    how.fails = () => false;
    await admin.redrives.resume(id);
    const report = await untilOver(kit, id);
    assert.deepEqual([report.covered, report.skipped, report.skippedWhy], [6, 2, { TIDINGS_DEAD_LETTER_STATE: 2 }]);
    assert.deepEqual(new Set(report.skips.map((skip) => skip.id)), new Set([one, two]));
    assert.equal(report.succeeded + report.failedAgain, 4);
    assert.ok(moved <= 1);
    await assertExact(kit, report);
  });

  it("is driven by one: whoever has lost the lease changes nothing more, and the next one goes on", async () => {
    const { kit, how } = await broken(60);
    await using _ = kit;
    how.fails = (n) => n % 10 === 3;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [5], perSecond: 5 });
    await kit.advance("3s");
    const leases = kit.app.engine.leases!;
    const held = await leases.list(driverLease);
    assert.equal(held.length, 1);
    // Another process takes the lease, as when this one had been stopped for longer than it holds.
    await leases.release(held);
    await leases.acquire([{ name: driverLease, owner: "thief#1", ttlMs: 10_000 }]);
    const before = await kit.app.admin.redrives.show(id);
    await kit.advance("8s");
    const meanwhile = await kit.app.admin.redrives.show(id);
    assert.ok(before.moved < 60);
    assert.deepEqual([meanwhile.moved, meanwhile.batches], [before.moved, before.batches]);
    const report = await untilOver(kit, id);
    assert.deepEqual([report.moved, report.succeeded, report.failedAgain], [60, 54, 6]);
    assert.equal(how.begun.length, 60);
    await assertExact(kit, report);
  });

  it("counts as set aside what a seek retires while it is under way", async () => {
    const { kit, how } = await broken(4);
    await using _ = kit;
    how.fails = () => false;
    how.during = () => {
      throw new RetryAfterError("later", 3_600_000);
    };
    const { admin } = kit.app;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [2], batchTimeoutMs: 600_000 });
    await kit.advance("5s");
    assert.equal((await admin.redrives.show(id)).underWay, 2);
    delete how.during;
    await kit.when(() => admin.subscriptions.seek("worker", "end", { retireHeld: true }));
    const report = await untilOver(kit, id);
    assert.deepEqual([report.state, report.setAside, report.skipped, report.succeeded], ["done", 2, 2, 0]);
    await assertExact(kit, report);
  });

  it("counts what was sent back before it was stopped by an owner who could not answer any more", async () => {
    const { kit } = await broken(2);
    await using _ = kit;
    const { admin, engine } = kit.app;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [1], perSecond: 1 });
    while ((await admin.redrives.show(id)).moved === 0) await kit.advance("100ms");
    await admin.redrives.pause(id);
    const letters = await admin.deadLetters.list();
    assert.equal(letters.filter(({ redrive }) => redrive?.operation === id).length, 1);
    // The next owner is asked as the one before was.
    const documents = letters.map(({ id: letter, partition }) => {
      const intent = { id: letter, subscription: "worker/jobs", partition, by: "test", atMs: 0, kind: "redrive-many", operation: id, letters: [{ id: letter, redrives: 0 }] }; // prettier-ignore
      return { collection: collections.intents, key: `worker/jobs/${letter}`, value: JSON.stringify(intent) };
    });
    await engine.transact!({ documents });
    await kit.advance("5s");
    for (const { id: letter, redrive } of letters) {
      const [answer] = await engine.state!.get(collections.answers, [letter]);
      const { refused } = JSON.parse(answer!.value) as { refused: readonly { readonly code: string }[] };
      const codes = redrive?.operation === id ? [] : ["TIDINGS_REDRIVE_STATE"];
      assert.deepEqual(
        refused.map((each) => each.code),
        codes,
      );
    }
  });

  it("counts what it has sent back also when somebody redrove it by itself before the operation was answered", async () => {
    const { kit } = await broken(1);
    await using _ = kit;
    const { admin, engine } = kit.app;
    const { id } = await begin(kit, { subscription: "worker" });
    const { moved, failedAgain } = await untilOver(kit, id);
    assert.deepEqual([moved, failedAgain], [1, 1]);
    const [letter] = await admin.deadLetters.list({ redrive: id });
    await kit.redrive([letter!]);
    const [after] = await admin.deadLetters.list();
    assert.deepEqual([after!.state, after!.redrives], ["open", 2]);
    assert.deepEqual(await admin.deadLetters.list({ redrive: id }), []);
    // The owner of the partition died before it could answer, and the next one is asked as it was.
    const { id: key, partition } = letter!;
    const intent = { id: key, subscription: "worker/jobs", partition, by: "test", atMs: 0, kind: "redrive-many", operation: id, letters: [{ id: key, redrives: 0 }] }; // prettier-ignore
    await engine.transact!({
      documents: [{ collection: collections.intents, key: `worker/jobs/${key}`, value: JSON.stringify(intent) }],
    });
    await kit.advance("5s");
    const [answer] = await engine.state!.get(collections.answers, [key]);
    assert.deepEqual(JSON.parse(answer!.value), { ok: true, refused: [] });
    const items = [{ id: key, subscription: 0, partition, key: "k0", redrives: 0, status: itemStatus.moved }];
    const outcomes = await readOutcomes(engine.state!, id, "worker/jobs", items as never);
    assert.deepEqual([...outcomes.values()], [itemStatus.failedAgain]);
  });

  it("keeps what it covers when nobody was told whether it has begun", async () => {
    const { kit, how } = await broken(3);
    await using _ = kit;
    how.fails = () => false;
    let isFirst = true;
    const heal = kit.fail(({ transaction }) => {
      if (!isFirst || !transaction?.documents?.some(({ collection }) => collection === collections.redrives))
        return undefined;
      isFirst = false;
      return { fail: "after" };
    });
    await assert.rejects(begin(kit, { subscription: "worker" }), code("TIDINGS_OUTCOME_UNKNOWN"));
    heal();
    const [begun] = await kit.app.admin.redrives.list();
    const report = await untilOver(kit, begun?.id ?? "");
    assert.deepEqual([report.state, report.covered, report.succeeded], ["done", 3, 3]);
    await assertExact(kit, report);
  });

  it("gives nothing to a subscription that is gone, and says so", async () => {
    const { kit } = await broken(4);
    await using _ = kit;
    await kit.app.admin.subscriptions.pause("worker", { reason: "hold" });
    const { id } = await begin(kit, { subscription: "worker" });
    await kit.when(() =>
      kit.app.engine.transact!({
        documents: [{ collection: collections.subscriptions, key: "worker/jobs", value: null }],
      }),
    );
    const report = await untilOver(kit, id);
    assert.deepEqual([report.state, report.skipped, report.skippedWhy], ["done", 4, { TIDINGS_NOT_FOUND: 4 }]);
    assert.equal(report.skips[0]?.message, 'The subscription "worker/jobs" is gone.');
    await assert.rejects(begin(kit, { subscription: "worker" }), code("TIDINGS_NOT_FOUND"));
  });

  it("skips what no handler takes any more, which would wait for ever", async () => {
    const how = work();
    const { kit } = await broken(2, { how });
    await using _ = kit;
    const Other = jobs.event("job.other", { data: z.object({ key: z.string() }) });
    await kit.restart({ services: [service("worker", { from: "start", epoch: 2 }).on(Other, () => undefined)] });
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    assert.deepEqual([report.skipped, report.skippedWhy], [2, { TIDINGS_UNMATCHED: 2 }]);
    await kit.restart({ services: [worker({ ...how, fails: () => false }, { epoch: 3 })] });
    assert.equal((await untilOver(kit, (await begin(kit, { subscription: "worker" })).id)).succeeded, 2);
  });
});

describe("a redrive is refused", () => {
  it("when its filter selects nothing, or has conditions that do not exist", async () => {
    const { kit } = await broken(1);
    await using _ = kit;
    await assert.rejects(begin(kit, { key: "none" }), code("TIDINGS_NOTHING_SELECTED"));
    await assert.rejects(begin(kit, { subscription: "wroker" }), code("TIDINGS_NOT_FOUND"));
    await kit.when(() => kit.app.admin.deadLetters.discard({ subscription: "worker" }));
    await assert.rejects(begin(kit, {}), { message: "There is no open dead letter." });
    await assert.rejects(begin(kit, { fingerprnt: "x" } as never), (error) => {
      assert.match((error as Error).message, /has no option "fingerprnt"; did you mean "fingerprint"\?/);
      return code("TIDINGS_INVALID_OPTION")(error);
    });
    await assert.rejects(begin(kit, { reason: "boredom" as never }), code("TIDINGS_INVALID_OPTION"));
    await assert.rejects(begin(kit, { sinceMs: "today" as never }), code("TIDINGS_INVALID_OPTION"));
    await assert.rejects(kit.app.admin.deadLetters.list({ sub: "x" } as never), code("TIDINGS_INVALID_OPTION"));
  });

  it("when it selects everything and nobody has said so", async () => {
    const { kit, how } = await broken(2);
    await using _ = kit;
    await assert.rejects(begin(kit, {}), code("TIDINGS_CONFIRMATION_NEEDED"));
    await assert.rejects(begin(kit, { sinceMs: 0 }), code("TIDINGS_CONFIRMATION_NEEDED"));
    assert.deepEqual(await kit.app.admin.redrives.list(), []);
    how.fails = () => false;
    assert.equal((await untilOver(kit, (await begin(kit, {}, { everything: true })).id)).succeeded, 2);
  });

  it("when it selects everything that is open, while another one is being redriven", async () => {
    const { kit, how } = await broken(3);
    await using _ = kit;
    const { admin } = kit.app;
    let goOn = (): void => undefined;
    how.during = () => new Promise((resolve) => (goOn = resolve));
    const [first] = await admin.deadLetters.list();
    // The handler is not waited for, since it hangs.
    await admin.deadLetters.redrive({ ids: [first!.id] });
    assert.equal(await admin.deadLetters.count({ state: "open" }), 2);
    await assert.rejects(admin.redrives.start({ sinceMs: 0 }), {
      code: "TIDINGS_CONFIRMATION_NEEDED",
      message: /all 2 open dead letters/,
    });
    goOn();
  });

  it("with options that cannot work", async () => {
    const { kit } = await broken(1);
    await using _ = kit;
    const bad: readonly RedriveOptions[] = [
      { ramp: [] }, { ramp: [0] }, { perSecond: 0 }, { canary: 1.5 }, { max: 0 }, { abort: {} }, { abort: { share: 2 } },
      { abort: { count: -1 } }, { batchTimeoutMs: 0 }, { rate: 3 } as never,
    ]; // prettier-ignore
    for (const options of bad)
      await assert.rejects(begin(kit, { key: "k0" }, options), code("TIDINGS_INVALID_OPTION"), JSON.stringify(options));
  });
});
