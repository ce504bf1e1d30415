import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assert as check, asyncProperty, array, integer, record, constantFrom } from "fast-check";
import { service, TerminalError } from "tidings";
import { collections, type DeadLetter } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "./support.ts";

/** How often each event fails before it succeeds, and whether a failure is terminal. */
const script = array(
  record({
    key: constantFrom("a", "b", "c"),
    failures: integer({ min: 0, max: 6 }),
    terminal: constantFrom(false, false, false, true),
  }),
  {
    minLength: 1,
    maxLength: 25,
  },
);

describe("for any script of failures", () => {
  it("the events of a key succeed in the order of their publication, also across a crash, and all are accounted for", async () => {
    await check(
      asyncProperty(script, integer({ min: 1, max: 1_000_000 }), async (events, seed) => {
        const world = memoryWorld();
        const platform = virtualPlatform({ seed });
        const left = events.map(({ failures }) => failures);
        const succeeded: { key: string; n: number }[] = [];
        const sink = () =>
          service("sink", { retry: { immediateMs: [0, 10], delayedMs: [100, 1000] } }).on(Happened, ({ data }) => {
            const failures = left[data.n] as number;
            if (failures > 0) {
              left[data.n] = failures - 1;
              throw events[data.n]?.terminal ? new TerminalError("terminal") : new Error("again");
            }
            succeeded.push({ key: data.key, n: data.n });
          });
        const first = await bench([sink()], { world, platform, memberId: "one" });
        const half = Math.floor(events.length / 2);
        for (const [n, { key }] of events.entries()) {
          await drive(first.clock, first.app.publish(Happened, { key, n }));
          if (n === half) await first.clock.advance(150);
        }
        world.crash(first.app.engine);
        const b = await bench([sink()], { world, platform, memberId: "one" });
        await b.clock.advance(20_000);
        // Dead letters are redriven until none is left: each redrive is one more life.
        for (let round = 0; round < 200; round++) {
          const dead = await drive(
            b.clock,
            b.app.engine.state?.scan(collections.deadLetters("sink/things"), { limit: 100 }) ?? Promise.resolve([]),
          );
          if (dead.length === 0) break;
          for (const { value } of dead) {
            const letter = JSON.parse(value) as DeadLetter;
            const id = `redrive-${round}-${letter.id}`;
            const intent = {
              id,
              subscription: letter.subscription,
              partition: letter.partition,
              by: "test",
              atMs: 0,
              kind: "redrive",
              deadLetter: letter.id,
            };
            const documents = [
              { collection: collections.intents, key: `sink/things/${id}`, value: JSON.stringify(intent) },
            ];
            await drive(b.clock, Promise.resolve(b.app.engine.transact?.({ documents })));
          }
          await b.clock.advance(5000);
        }
        const totals = await totalsOf(b);
        assert.deepEqual([totals.pending, totals.held, totals.handled], [0, 0, events.length]);
        for (const key of ["a", "b", "c"]) {
          const published = events.flatMap((event, n) => (event.key === key ? [n] : []));
          const inOrder = [...new Set(succeeded.filter((event) => event.key === key).map(({ n }) => n))];
          assert.deepEqual(inOrder, published);
        }
        await drive(b.clock, b.app.stop());
      }),
      { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 60) },
    );
  });
});
