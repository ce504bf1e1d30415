import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConflictError, RetryAfterError, service, TerminalError } from "tidings";
import { bench, Happened, totalsOf } from "./support.ts";

const noJitter = { jitter: "none" } as const;

describe("a delivery that fails", () => {
  it("is tried at once, then later with its key held, while other keys go on", async () => {
    const seen: string[] = [];
    let failures = 0;
    const sink = service("sink", { retry: { immediateMs: [0, 10], delayedMs: [1000, 5000], ...noJitter } }).on(
      Happened,
      ({ data }) => {
        if (data.key === "bad" && data.n === 0 && failures < 4) {
          failures += 1;
          throw new Error("not yet");
        }
        seen.push(`${data.key}${data.n}`);
      },
    );
    const b = await bench([sink]);
    await b.feed("bad", 0, 1, 2);
    await b.feed("good", 0, 1);
    assert.equal(failures, 1);
    await b.clock.advance(20);
    assert.equal(failures, 3);
    assert.deepEqual(seen, ["good0", "good1"]);
    let totals = await totalsOf(b);
    assert.equal(totals.held, 3);
    assert.equal(totals.heldKeys, 1);
    await b.clock.advance(900);
    assert.equal(failures, 3);
    await b.clock.advance(200);
    assert.equal(failures, 4);
    await b.clock.advance(5100);
    assert.deepEqual(seen, ["good0", "good1", "bad0", "bad1", "bad2"]);
    await b.feed("bad", 3);
    assert.equal(seen.at(-1), "bad3");
    totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.held, totals.heldKeys], [6, 0, 0]);
    await b.app.stop();
  });

  it("becomes a dead letter when the ladder is used up, and keeps its key in order behind it", async () => {
    const seen: number[] = [];
    const sink = service("sink", { retry: { immediateMs: [], delayedMs: [100], ...noJitter } }).on(
      Happened,
      ({ data }) => {
        if (data.n === 1) throw new Error("never");
        seen.push(data.n);
      },
    );
    const b = await bench([sink]);
    await b.feed("k", 0, 1, 2, 3);
    await b.clock.advance(200);
    const totals = await totalsOf(b);
    assert.deepEqual(seen, [0]);
    assert.deepEqual([totals.handled, totals.held, totals.deadLetters, totals.heldRetrying], [1, 3, 1, 0]);
    await b.app.stop();
  });

  it("is given up at once by a TerminalError", async () => {
    let runs = 0;
    const sink = service("sink").on(Happened, () => {
      runs += 1;
      throw new TerminalError("no");
    });
    const b = await bench([sink]);
    await b.feed("k", 0);
    assert.equal(runs, 1);
    assert.equal((await totalsOf(b)).deadLetters, 1);
    await b.app.stop();
  });

  it("waits as long as a RetryAfterError says", async () => {
    let runs = 0;
    const sink = service("sink").on(Happened, () => {
      runs += 1;
      if (runs === 1) throw new RetryAfterError("busy", 60_000);
    });
    const b = await bench([sink]);
    await b.feed("k", 0);
    await b.clock.advance(59_000);
    assert.equal(runs, 1);
    await b.clock.advance(2000);
    assert.equal(runs, 2);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });

  it("runs again at once after a ConflictError without using up attempts", async () => {
    let runs = 0;
    const sink = service("sink", { retry: { immediateMs: [], delayedMs: [] } }).on(Happened, () => {
      runs += 1;
      if (runs < 10) throw new ConflictError("changed");
    });
    const b = await bench([sink]);
    await b.feed("k", 0);
    await b.clock.advance(100);
    assert.equal(runs, 10);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });

  it("lets later events of its key pass with skipAhead", async () => {
    const seen: number[] = [];
    const sink = service("sink", {
      onFailure: "skipAhead",
      retry: { immediateMs: [], delayedMs: [1000], ...noJitter },
    }).on(Happened, ({ data }) => {
      if (data.n === 0 && seen.length < 2) throw new Error("later");
      seen.push(data.n);
    });
    const b = await bench([sink]);
    await b.feed("k", 0, 1, 2);
    assert.deepEqual(seen, [1, 2]);
    await b.clock.advance(1100);
    assert.deepEqual(seen, [1, 2, 0]);
    assert.equal((await totalsOf(b)).held, 0);
    await b.app.stop();
  });

  it("stops its partition and pauses the subscription with blockPartition", async () => {
    const seen: string[] = [];
    const sink = service("sink", { onFailure: "blockPartition", concurrency: 1 }).on(Happened, ({ data }) => {
      if (data.n === 1) throw new TerminalError("stop here");
      seen.push(`${data.key}${data.n}`);
    });
    const b = await bench([sink]);
    await b.feed("k", 0, 1, 2);
    assert.deepEqual(seen, ["k0"]);
    const totals = await totalsOf(b);
    assert.match(totals.paused?.reason ?? "", /blocks its partition: stop here/);
    assert.deepEqual([totals.deadLetters, totals.pending], [0, 2]);
    await b.app.stop();
  });

  it("is decided by the first rule that matches", async () => {
    const b = await bench([
      service("sink", {
        retry: {
          rules: [
            { errorName: "RangeError", action: { do: "discard" } },
            { when: () => true, action: { do: "deadLetter" } },
          ],
        },
      }).on(Happened, ({ data }) => {
        if (data.n === 0) throw new RangeError("drop me");
        throw new Error("park me");
      }),
    ]);
    await b.feed("a", 0);
    await b.feed("b", 1);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.discarded, totals.deadLetters, totals.held], [1, 1, 1]);
    await b.app.stop();
  });
});

describe("deliveries of one key", () => {
  it("run one at a time in order, and those of other keys beside them", async () => {
    let running = 0;
    let most = 0;
    const seen: string[] = [];
    const perKey = new Map<string, number>();
    const sink = service("sink").on(Happened, async ({ data }) => {
      running += 1;
      most = Math.max(most, running);
      assert.equal(perKey.get(data.key) ?? 0, 0);
      perKey.set(data.key, 1);
      await new Promise<void>((resolve) => b.clock.after(10, resolve));
      perKey.set(data.key, 0);
      running -= 1;
      seen.push(`${data.key}${data.n}`);
    });
    const b = await bench([sink]);
    await Promise.all(["a", "b", "c"].map((key) => b.feed(key, 0, 1, 2)));
    await b.clock.advance(100);
    assert.equal(most, 3);
    for (const key of ["a", "b", "c"])
      assert.deepEqual(
        seen.filter((name) => name.startsWith(key)),
        [`${key}0`, `${key}1`, `${key}2`],
      );
    await b.app.stop();
  });

  it("is tried again at once by a batch handler too", async () => {
    const runs: number[] = [];
    const sink = service("sink", { retry: { immediateMs: [0], delayedMs: [] } }).onBatch(
      Happened,
      (items) => {
        for (const item of items) {
          runs.push(item.event.data.n);
          if (runs.length === 1) item.fail(new Error("not yet"));
        }
      },
      { waitMs: 1 },
    );
    const b = await bench([sink]);
    await b.feed("k", 0, 1);
    await b.clock.advance(20);
    assert.deepEqual(runs, [0, 0, 1]);
    assert.equal((await totalsOf(b)).deadLetters, 0);
    await b.app.stop();
  });

  it("that blocks its partition lets nothing of it go on, and goes on with all of it", async () => {
    const seen: string[] = [];
    let failures = 0;
    const sink = service("sink", {
      onFailure: "blockPartition",
      retry: { immediateMs: [], delayedMs: [1000], ...noJitter },
    }).on(Happened, ({ data }) => {
      if (data.key === "bad" && failures++ === 0) throw new Error("not yet");
      seen.push(`${data.key}${data.n}`);
    });
    const b = await bench([sink]);
    await b.feed("bad", 0);
    for (const key of ["a", "b", "c", "d"]) await b.feed(key, 0);
    // Those of the other partition go on.
    const before = seen.length;
    assert.ok(before < 4 && !seen.includes("bad0"));
    await b.clock.advance(900);
    assert.equal(seen.length, before);
    await b.clock.advance(200);
    assert.deepEqual([...seen].sort(), ["a0", "b0", "bad0", "c0", "d0"]);
    assert.equal((await totalsOf(b)).pending, 0);
    await b.app.stop();
  });
});
