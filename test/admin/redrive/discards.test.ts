import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { collections } from "../../../src/delivery/records.ts";
import { broken, code, queue, Queued, untilOver, begin } from "./support.ts";

describe("a discard that is undone", () => {
  it("is a dead letter again in front of its key, and the counts are right at each step", async () => {
    const { kit, how } = await broken(1, { keyOf: () => "k" });
    await using _ = kit;
    const { deadLetters, subscriptions, heldKeys } = kit.app.admin;
    const [before] = await kit.deadLetters();
    await kit.when(() => deadLetters.discard({ key: "k" }, { reason: "not needed" }));
    const { letter: closed } = await deadLetters.show(before!.id);
    assert.deepEqual(
      [closed.state, closed.note, closed.undoUntilMs],
      ["discarded", "not needed", kit.clock.now() + 86_400_000],
    );
    const gone = (await subscriptions.show("worker")).equation;
    assert.deepEqual([gone.discarded, gone.held, gone.holds], [1, 0, true]);
    await kit.advance("2h");
    assert.deepEqual(await kit.when(() => deadLetters.undoDiscard({ key: "k" })), { restored: 1, refused: [] });
    const back = (await subscriptions.show("worker")).equation;
    assert.deepEqual([back.discarded, back.held, back.holds], [0, 1, true]);
    const [after] = await kit.deadLetters();
    assert.deepEqual(after, before);
    // Later events of the key wait behind it, as before.
    how.fails = () => false;
    await kit.when(Queued, { key: "k", n: 1 });
    assert.deepEqual([how.done, (await heldKeys.list())[0]?.events], [[], 2]);
    assert.equal((await untilOver(kit, (await begin(kit, { key: "k" })).id)).succeeded, 1);
    await kit.settled();
    assert.deepEqual(how.done, [0, 1]);
    const end = (await subscriptions.show("worker")).equation;
    assert.deepEqual([end.handled, end.discarded, end.held, end.holds], [2, 0, 0, true]);
  });

  it("stands alone where something else of its key is held", async () => {
    const { kit, how } = await broken(2, { keyOf: () => "k" });
    await using _ = kit;
    const { deadLetters, heldKeys, subscriptions } = kit.app.admin;
    const [first] = await kit.deadLetters();
    await kit.when(() => deadLetters.discard({ ids: [first!.id] }));
    // The second one was waiting, failed, and holds the key now.
    assert.equal((await kit.deadLetters()).length, 1);
    await kit.when(() => deadLetters.undoDiscard({ ids: [first!.id] }));
    assert.equal((await kit.deadLetters()).length, 2);
    assert.equal((await heldKeys.list()).length, 2);
    how.fails = () => false;
    const report = await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
    assert.equal(report.succeeded, 2);
    // In the order of the topic, one after the other.
    assert.deepEqual(how.done, [0, 1]);
    assert.ok((await subscriptions.show("worker")).equation.holds);
  });

  it("survives a crash, and is restored once however often it is asked", async () => {
    const { kit } = await broken(1);
    await using _ = kit;
    const [letter] = await kit.deadLetters();
    const ids = [letter!.id];
    await kit.when(() => kit.app.admin.deadLetters.discard({ ids }));
    const { deadLetters } = kit.app.admin;
    const both = await kit.when(() =>
      Promise.all([deadLetters.undoDiscard({ ids }), deadLetters.undoDiscard({ ids })]),
    );
    assert.deepEqual(
      both.map(({ restored }) => restored).toSorted((a, b) => a - b),
      [0, 1],
    );
    await kit.crash();
    assert.deepEqual(
      (await kit.deadLetters()).map(({ id }) => id),
      ids,
    );
    assert.ok((await kit.app.admin.subscriptions.show("worker")).equation.holds);
  });

  it("is refused after its time, after a seek, and for what was not discarded", async () => {
    const { kit, how } = await broken(3);
    await using _ = kit;
    const { deadLetters, subscriptions } = kit.app.admin;
    const [a, b, c] = (await kit.deadLetters()).map(({ id }) => id) as [string, string, string];
    const refusal = async (id: string): Promise<string> => {
      const { restored, refused } = await kit.when(() => deadLetters.undoDiscard({ ids: [id] }));
      assert.equal(restored, 0);
      return `${refused[0]?.code}: ${refused[0]?.message}`;
    };
    await kit.when(() => deadLetters.discard({ ids: [a] }, { undoMs: 60_000 }));
    await kit.when(() => deadLetters.discard({ ids: [b] }));
    await kit.advance("61s");
    assert.match(await refusal(a), /^TIDINGS_DEAD_LETTER_STATE: .* was discarded for good/);
    assert.match(await refusal(c), /^TIDINGS_DEAD_LETTER_STATE: .* is open/);
    how.fails = () => false;
    await kit.when(() => subscriptions.seek("worker", "start", { retireHeld: true }));
    assert.match(await refusal(b), /belongs to an earlier run/);
    await assert.rejects(deadLetters.discard({}, { undoMs: 40 * 86_400_000 }), code("TIDINGS_INVALID_OPTION"));
    // By a filter only those are taken that can be undone still.
    assert.deepEqual(
      await kit
        .when(() => deadLetters.undoDiscard({ subscription: "worker", type: "job.queued" }))
        .then(({ restored }) => restored),
      0,
    );
  });
});

describe("groups of dead letters", () => {
  it("say when they were seen first and last, what has become of them, and whether they rise", async () => {
    const { kit, how } = await broken(4);
    await using _ = kit;
    const { deadLetters } = kit.app.admin;
    const start = kit.clock.now();
    await kit.advance("90m");
    await queue(kit, 10, (n) => `late${n}`);
    const [group, ...others] = await deadLetters.groups();
    assert.deepEqual(others, []);
    const { count, open, redriving, resolved, discarded, firstAtMs, lastAtMs, hours, trend } = group!;
    assert.deepEqual([count, open, redriving, resolved, discarded], [14, 14, 0, 0, 0]);
    assert.deepEqual([firstAtMs, lastAtMs, trend], [start, start + 90 * 60_000, "rising"]);
    assert.deepEqual([hours.length, hours.at(-1), hours.at(-2)], [24, 10, 4]);
    how.fails = () => false;
    await untilOver(kit, (await begin(kit, { subscription: "worker" }, { max: 5 })).id);
    await kit.when(() => deadLetters.discard({ subscription: "worker" }, { limit: 2 }));
    const [after] = await deadLetters.groups();
    assert.deepEqual([after!.count, after!.open, after!.resolved, after!.discarded], [7, 7, 5, 2]);
    await kit.advance("3h");
    assert.equal((await deadLetters.groups())[0]?.trend, "quiet");
  });

  it("tell faults of one handler apart by what they say, and a redrive of one leaves the others", async () => {
    const { kit, how } = await broken(0);
    await using _ = kit;
    const kinds = ["card", "stock", "address", "card"];
    await kit.given(...kinds.map((kind, n) => [Queued, { key: `k${n}`, n, kind }] as const));
    const groups = await kit.app.admin.deadLetters.groups();
    const told = groups.map(({ count, message }) => [message, count]);
    assert.deepEqual(told, [["card is broken", 2], ["stock is broken", 1], ["address is broken", 1]]); // prettier-ignore
    how.fails = () => false;
    const { id } = await begin(kit, { fingerprint: groups[0]!.fingerprint });
    assert.equal((await untilOver(kit, id)).succeeded, 2);
    assert.deepEqual(new Set(how.done), new Set([0, 3]));
  });

  it("are acted on as they are: what fails meanwhile is not taken along", async () => {
    const { kit, how } = await broken(3);
    await using _ = kit;
    const { deadLetters } = kit.app.admin;
    const [group] = await deadLetters.groups();
    let late = false;
    const stop = kit.fail(({ transaction }) => {
      // A new one of the same fault arrives while the first are being discarded.
      if (!late && transaction?.documents?.some(({ collection }) => collection === collections.intents)) {
        late = true;
        void kit.app.publish(Queued, { key: "late", n: 99 });
      }
      return undefined;
    });
    const result = await kit.when(() => deadLetters.discard({ fingerprint: group!.fingerprint }));
    stop();
    assert.deepEqual(result, { discarded: 3, refused: [] });
    const left = await kit.deadLetters();
    assert.deepEqual(
      left.map(({ key }) => key),
      ["late"],
    );
    assert.ok(how.begun.includes(99));
  });
});
