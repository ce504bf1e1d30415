import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TerminalError } from "tidings";
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
});
