import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TerminalError } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { bench, drive, Followed, Happened, totalsOf } from "./support.ts";

describe("a dead letter", () => {
  it("that two operators redrive at once is redriven once, and the other one is refused", async () => {
    let fail = true;
    const relay = service("relay").on(Happened, ({ data }, ctx) => {
      if (fail) throw new TerminalError("not yet");
      ctx.publish(Followed, { key: data.key, n: data.n });
    });
    const b = await bench([relay]);
    await b.feed("k", 0);
    fail = false;
    const { deadLetters } = b.app.admin;
    const [letter] = await drive(b.clock, deadLetters.list());
    const ids = [letter?.id as string];
    const answers = await drive(b.clock, Promise.all([deadLetters.redrive({ ids }), deadLetters.redrive({ ids })]));
    assert.equal(answers.filter(({ refused }) => refused.length === 0).length, 1);
    await b.rest();
    const { handled, filtered, held } = await totalsOf(b);
    assert.deepEqual([handled, filtered, held], [1, 1, 0]);
    assert.equal((await drive(b.clock, b.app.totals())).published, 2);
    await b.app.stop();
  });

  it("that is redriven while the store refuses the answer is reported as redriven: it is not tried a second time", async () => {
    const world = memoryWorld();
    let fail = true;
    let runs = 0;
    const sink = service("sink").on(Happened, () => {
      runs += 1;
      if (fail) throw new TerminalError("not yet");
    });
    const b = await bench([sink], { world });
    await b.feed("k", 0);
    fail = false;
    let refusals = 3;
    world.fail(({ transaction }) =>
      transaction?.documents?.some(({ collection, value }) => collection === collections.answers && value !== null) &&
      refusals-- > 0
        ? { fail: "before" }
        : undefined,
    );
    const answer = await drive(b.clock, b.app.admin.deadLetters.redrive({}));
    assert.deepEqual(answer, { redriven: 1, refused: [] });
    await b.rest();
    assert.deepEqual([runs, refusals < 0, (await totalsOf(b)).handled], [2, true, 1]);
    await b.app.stop();
  });

  it("of which 200 that write one document are redriven at once: they queue, and none fails for it", async () => {
    let fail = true;
    let runs = 0;
    const counter = service("counter").on(Happened, async (_event, ctx) => {
      runs += 1;
      if (fail) throw new TerminalError("not yet");
      const box = ctx.state<number>("totals");
      box.set("all", ((await box.get("all")) ?? 0) + 1);
    });
    const b = await bench([counter]);
    for (let n = 0; n < 200; n++) await b.app.publish(Happened, { key: `k${n}`, n });
    await b.rest();
    fail = false;
    runs = 0;
    const { deadLetters } = b.app.admin;
    const { redriven } = await drive(b.clock, deadLetters.redrive({ subscription: "counter" }));
    assert.equal(redriven, 200);
    for (let i = 0; i < 100; i++) await b.rest();
    assert.equal(await b.app.state<number>("counter", "totals").get("all"), 200);
    assert.deepEqual([(await totalsOf(b)).handled, (await totalsOf(b)).held], [200, 0]);
    // Once for each, and once more for those that collided at first: not once more for each that was before them.
    assert.ok(runs <= 500, `${runs} runs`);
    await b.app.stop();
  });
});
