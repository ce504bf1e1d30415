import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { bench, drive, Followed, Happened, totalsOf } from "./support.ts";

describe("seeks of one subscription", () => {
  it("that come at once follow each other, and every event is handled once in each run", async () => {
    const relay = service("relay").on(Happened, ({ data }, ctx) => {
      ctx.publish(Followed, { key: data.key, n: data.n });
    });
    const b = await bench([relay]);
    await b.feed("k", 0, 1, 2);
    const { subscriptions } = b.app.admin;
    const seeks = [1, 2, 3].map(() => subscriptions.seek("relay/things", "end"));
    const answers = await drive(b.clock, Promise.all(seeks));
    assert.ok(answers.flat().every(({ refusal }) => refusal === undefined));
    const { published } = await drive(b.clock, b.app.totals());
    await b.feed("k", 3, 4, 5);
    assert.equal((await drive(b.clock, b.app.totals())).published - published, 6);
    assert.equal((await totalsOf(b)).handled, 3);
    await b.app.stop();
  });
});
