import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "./support.ts";

const ignore = (): void => undefined;

const unreadable: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  "a symbol": () => Symbol("thrown"),
  "an object without a prototype": () => Object.create(null),
  "an object in a circle": () => {
    const circle: { self?: unknown } = {};
    return (circle.self = circle);
  },
  "an object of which a property throws": () => ({
    get message() {
      throw new Error("never read");
    },
  }),
  "an error of which the stack throws": () =>
    Object.defineProperty(new Error("thrown"), "stack", {
      get() {
        throw new Error("never read");
      },
    }),
  "an error of which the message is no text": () => Object.assign(new Error("thrown"), { message: 5 }),
  "a proxy that refuses everything": () =>
    new Proxy(new Error("thrown"), {
      get() {
        throw new Error("never read");
      },
    }),
};

describe("a handler that throws", () => {
  for (const [what, make] of Object.entries(unreadable)) {
    it(`${what} fails like any other: tried again at once and later, then a dead letter`, async () => {
      const handle = ({ data }: { data: { n: number } }): Promise<void> | undefined => {
        if (data.n === 0) throw make();
        return data.n === 1 ? Promise.reject(make()) : undefined;
      };
      const retry = { immediateMs: [0], delayedMs: [10], jitter: "none" } as const;
      const b = await bench([service("sink", { retry }).on(Happened, handle)]);
      await b.feed("a", 0);
      await b.feed("b", 1);
      await b.feed("c", 2);
      await b.clock.advance(1000);
      const { handled, deadLetters, pending } = await totalsOf(b);
      assert.deepEqual([handled, deadLetters, pending], [1, 2, 0]);
      await drive(b.clock, b.app.stop());
    });
  }

  it("does not match a rule of which the predicate throws", async () => {
    const when = (): boolean => {
      throw new Error("a predicate that is wrong");
    };
    const rules = [{ when, action: { do: "discard" } }] as const;
    const sink = service("sink", { retry: { immediateMs: [], delayedMs: [], rules } }).on(Happened, () => {
      throw new Error("thrown");
    });
    const b = await bench([sink]);
    await b.feed("k", 0);
    const { discarded, deadLetters } = await totalsOf(b);
    assert.deepEqual([discarded, deadLetters], [0, 1]);
    await b.app.stop();
  });

  it("because it was told to stop has not failed: its event is delivered again, whatever the rules say", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const rules = [{ action: { do: "discard" } }] as const;
    const slow = service("sink", { retry: { immediateMs: [], rules } }).on(Happened, (_event, ctx) =>
      ctx.sleep(60_000),
    );
    const first = await bench([slow], { world, platform, memberId: "one" });
    await first.feed("k", 0);
    await drive(first.clock, first.app.stop({ timeoutMs: 100 }));
    const second = await bench([service("sink").on(Happened, () => undefined)], { world, platform, memberId: "one" });
    await second.clock.advance(100);
    const { handled, discarded } = await totalsOf(second);
    assert.deepEqual([handled, discarded], [1, 0]);
    await drive(second.clock, second.app.stop());
  });
});

describe("a handler that returns", () => {
  it("null has handled its event", async () => {
    const b = await bench([service("sink").on(Happened, (() => null) as unknown as typeof ignore)]);
    await b.feed("k", 0);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });
});
