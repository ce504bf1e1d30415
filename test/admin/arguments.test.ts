import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isTidingsError } from "../../src/errors/tidings-error.ts";
import { collect, openAdmin, troubledWorld } from "./support.ts";

const strange: readonly unknown[] = [undefined, null, 5, "text", {}, [], () => undefined, [undefined], [[]], Object.create(null), Symbol("strange")]; // prettier-ignore

describe("an operation of admin", () => {
  it("answers arguments of the wrong kind with an error of ours, whatever they are", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world, { timeoutMs: 100 });
    const [letter] = await admin.deadLetters.list();
    const goods: Readonly<Record<string, unknown>> = {
      topics: "orders",
      events: letter!.record.id,
      subscriptions: "pay",
      heldKeys: "pay",
      deadLetters: letter!.id,
      redrives: { key: "none" },
      breakers: "none",
      engine: {},
    };
    let refused = 0;
    const attempt = async (what: string, call: () => unknown): Promise<void> => {
      try {
        await call();
      } catch (error) {
        assert.ok(isTidingsError(error), `${what}: ${(error as Error).stack}`);
        refused += 1;
      }
    };
    for (const [group, operations] of Object.entries(admin))
      for (const [verb, operation] of Object.entries(
        operations as Readonly<Record<string, (...given: unknown[]) => unknown>>,
      )) {
        const run = (...given: unknown[]): unknown =>
          group === "events" && verb === "read"
            ? collect(operation(...given) as AsyncIterable<unknown>)
            : operation(...given);
        for (const value of strange) {
          await attempt(`${group}.${verb}`, () => run(value));
          await attempt(`${group}.${verb} second`, () => run(goods[group], value));
          await attempt(`${group}.${verb} third`, () => run(goods[group], "key", value));
        }
      }
    assert.ok(refused > 400, String(refused));
  });

  it("says which argument is wrong, and what it takes", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const wrong = { code: "TIDINGS_INVALID_ARGUMENT" };
    await assert.rejects(admin.deadLetters.show(undefined as never), {
      ...wrong,
      message: "admin.deadLetters.show() takes an id, and was given undefined as its first argument.",
    });
    await assert.rejects(admin.subscriptions.pause("pay", {} as never), {
      ...wrong,
      message:
        "admin.subscriptions.pause() takes an object with a reason, and was given an object as its second argument.",
    });
    await assert.rejects(collect(readAll(admin)), { ...wrong, message: /takes a list of names.*for topics/ });
    await assert.rejects(admin.events.publish([{ topic: "orders", type: "x" }, null as never]), {
      ...wrong,
      message: /takes events with their topic, and item 1 is null/,
    });
    const [letter] = await admin.deadLetters.list();
    await assert.rejects(admin.deadLetters.edit(letter!.id, { data: {}, contract: "x" as never }), wrong);
  });
});

/** A generator, so that what is thrown at once rejects. */
async function* readAll(admin: Awaited<ReturnType<typeof openAdmin>>["admin"]): AsyncGenerator {
  yield* admin.events.read({ topics: "orders" as never, from: "start" });
}
