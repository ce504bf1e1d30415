import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "../../src/platform/clock.ts";
import { systemClock } from "../../src/platform/system.ts";
import { virtualClock } from "../../src/platform/virtual.ts";

test("a virtual clock fires timers in the order of their instants, ties in the order they were set", async () => {
  const clock = virtualClock(0);
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name}@${clock.now()}`);
  clock.after(20, note("c"));
  clock.after(10, note("a"));
  clock.after(10, note("b"));
  clock.after(21, note("late"));
  await clock.advance(20);
  assert.deepEqual(fired, ["a@10", "b@10", "c@20"]);
  assert.equal(clock.nextTimerAt(), 21);
});

test("a timer set by a timer fires in the same advance when it is due", async () => {
  const clock = virtualClock(0);
  const fired: number[] = [];
  clock.after(10, () => clock.after(5, () => fired.push(clock.now())));
  await clock.advance(15);
  assert.deepEqual(fired, [15]);
});

test("what a timer starts settles before the next timer fires", async () => {
  const clock = virtualClock(0);
  const order: string[] = [];
  const hop = (): Promise<void> => new Promise((resolve) => clock.soon(resolve));
  clock.after(1, () => {
    void (async () => {
      for (let i = 0; i < 5; i++) await hop();
      order.push("settled");
    })();
  });
  clock.after(1, () => order.push("next"));
  await clock.advance(1);
  assert.deepEqual(order, ["settled", "next"]);
});

test("a cancelled virtual timer does not fire", async () => {
  const clock = virtualClock(0);
  const cancel = clock.after(1, () => assert.fail("fired"));
  cancel();
  cancel();
  await clock.advance(10);
});

test("a jump of the wall clock fires nothing and leaves monotonic time alone", async () => {
  const clock = virtualClock(0);
  let fired = 0;
  clock.after(100, () => fired++);
  clock.jump(1000);
  await clock.flush();
  assert.equal(fired, 0);
  assert.equal(clock.now(), 1000);
  assert.equal(clock.monotonic(), 0);
  await clock.advance(100);
  assert.equal(fired, 1);
});

test("delays that are not a number fire at once and endless ones never", async () => {
  const clock = virtualClock(0);
  const fired: string[] = [];
  clock.after(Number.NaN, () => fired.push("nan"));
  clock.after(-5, () => fired.push("negative"));
  clock.after(Number.POSITIVE_INFINITY, () => fired.push("endless"));
  clock.after(1, () => fired.push("one"));
  await clock.advance(1e12);
  assert.deepEqual(fired, ["nan", "negative", "one"]);
  assert.equal(clock.nextTimerAt(), undefined);
});

test("ten thousand virtual timers fire in a moment", async () => {
  const clock = virtualClock(0);
  const fired: number[] = [];
  for (let i = 0; i < 10_000; i++) clock.after((i * 7919) % 1000, () => fired.push(clock.now()));
  await clock.advance(1000);
  assert.equal(fired.length, 10_000);
  assert.deepEqual(
    fired,
    [...fired].sort((a, b) => a - b),
  );
});

test("a timer of the system clock never fires early", async () => {
  const delays = Array.from({ length: 200 }, (_, i) => (i % 40) * 0.37);
  await Promise.all(
    delays.map(async (delayMs) => {
      const start = systemClock.monotonic();
      await sleep(systemClock, delayMs);
      const elapsed = systemClock.monotonic() - start;
      assert.ok(elapsed >= delayMs, `${elapsed} of ${delayMs} ms`);
    }),
  );
});

test("the system clock waits in steps for delays longer than a timer of Node.js takes", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const started = performance.now();
  let elapsed = 0;
  t.mock.method(performance, "now", () => started + elapsed);
  let fired = 0;
  const day = 24 * 60 * 60 * 1000;
  systemClock.after(60 * day, () => fired++);
  const pass = (ms: number): void => {
    elapsed += ms;
    t.mock.timers.tick(ms);
  };
  pass(1000);
  assert.equal(fired, 0);
  for (let i = 0; i < 59; i++) pass(day);
  assert.equal(fired, 0);
  pass(day);
  assert.equal(fired, 1);
});

test("a cancelled timer of the system clock does not fire", async () => {
  const cancel = systemClock.after(2, () => assert.fail("fired"));
  cancel();
  await sleep(systemClock, 10);
});

test("an aborted sleep rejects with the signal's reason and leaves no timer", async () => {
  const clock = virtualClock(0);
  const controller = new AbortController();
  const sleeping = sleep(clock, 1000, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(sleeping, reason);
  assert.equal(clock.nextTimerAt(), undefined);
  await assert.rejects(sleep(clock, 1, controller.signal), reason);
});

test("a virtual clock is stepped timer by timer, and says what has still to run", async () => {
  const clock = virtualClock(0);
  const order: string[] = [];
  clock.after(20, () => order.push("late"));
  clock.after(10, () => clock.soon(() => order.push("soon")));
  assert.equal(clock.fireNext(), true);
  assert.deepEqual([clock.now(), clock.soonPending(), order], [10, 1, []]);
  await clock.flush();
  assert.deepEqual([clock.soonPending(), order], [0, ["soon"]]);
  assert.equal(clock.fireNext(), true);
  assert.equal(clock.fireNext(), false);
  assert.deepEqual([clock.now(), order], [20, ["soon", "late"]]);
});
