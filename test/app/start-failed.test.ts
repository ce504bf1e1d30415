import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dependency, service } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";
import type { State } from "../../src/ports/state.ts";
import { bench, Happened } from "../delivery/support.ts";

describe("a start that fails", () => {
  it("because the state of a breaker cannot be read leaves nothing behind that goes on reading", async () => {
    const platform = virtualPlatform();
    const world = memoryWorld();
    const open = async (context: EngineContext): Promise<Engine> => {
      const engine = await world.open(context);
      const state = engine.state as State;
      const get: State["get"] = async (collection, keys) => {
        if (collection === collections.breakers) throw new Error("unreadable");
        return state.get(collection, keys);
      };
      return { ...engine, state: { ...state, get } };
    };
    const bank = dependency("bank", { breaker: { failures: 3 } });
    const sink = service("sink").on(Happened, () => undefined, { uses: [bank] });
    await assert.rejects(bench([sink], { platform, engine: { open } }), /unreadable/);
    assert.equal(platform.clock.nextTimerAt(), undefined);
  });
});
