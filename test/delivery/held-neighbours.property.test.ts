// Whatever fails in some keys, the others lose no more time than their own lane takes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assert as check, array, asyncProperty, constantFrom, integer, record } from "fast-check";
import { service, TerminalError } from "tidings";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "./support.ts";

const failing = ["a", "b"];
const healthy = ["c", "d"];

const script = array(
  record({
    key: constantFrom(...failing, ...healthy),
    failures: integer({ min: 1, max: 8 }),
    terminal: constantFrom(false, false, true),
    pauseMs: integer({ min: 0, max: 40 }),
  }),
  { minLength: 4, maxLength: 40 },
);

/** How long each run of the handler takes, and what commits and looks may add to it, in virtual milliseconds. */
const runMs = 10;
const slackMs = 10;

describe("for any script of failures", () => {
  it("keys in which nothing fails are delayed by no more than what stands before them in their lane", async () => {
    await check(
      asyncProperty(script, integer({ min: 1, max: 1_000_000 }), async (events, seed) => {
        const platform = virtualPlatform({ seed });
        const { clock } = platform;
        const left = events.map(({ failures }) => failures);
        const endedAt = new Map<number, number>();
        // A slot for each key: what waits for a delayed retry must not hold one.
        const sink = service("sink", { concurrency: 4, retry: { immediateMs: [0, 5], delayedMs: [50, 500] } }).on(
          Happened,
          async ({ data }, ctx) => {
            await ctx.sleep(runMs);
            if (failing.includes(data.key) && (left[data.n] as number)-- > 0) {
              if (events[data.n]?.terminal) throw new TerminalError("terminal");
              throw new Error("again");
            }
            endedAt.set(data.n, clock.monotonic());
          },
        );
        const b = await bench([sink], { platform });
        const freeAt = new Map<string, number>();
        const latest = new Map<number, number>();
        for (const [n, { key, pauseMs }] of events.entries()) {
          await clock.advance(pauseMs);
          const began = clock.monotonic();
          const published = b.app.publish(Happened, { key, n });
          await clock.flush();
          await drive(clock, published);
          const end = Math.max(freeAt.get(key) ?? 0, began) + runMs;
          freeAt.set(key, end);
          latest.set(n, end + slackMs);
        }
        await clock.advance(60_000);
        for (const [n, { key }] of events.entries()) {
          if (!healthy.includes(key)) continue;
          const [ended, due] = [endedAt.get(n) ?? Number.POSITIVE_INFINITY, latest.get(n) as number];
          assert.ok(ended <= due, `event ${n} of ${key} ended at ${ended}, and its lane explains ${due}`);
        }
        assert.equal((await totalsOf(b)).pending, 0);
        await drive(clock, b.app.stop());
      }),
      { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 60) },
    );
  });
});
