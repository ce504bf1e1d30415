import assert from "node:assert/strict";
import { it } from "node:test";
import { service } from "tidings";
import { seededRandom } from "../../src/platform/random.ts";
import { type Bench, drive, Followed, Happened, totalsOf } from "../delivery/support.ts";
import { apart } from "./support.ts";

const keys = ["a", "b", "c", "d", "e"] as const;
const eventsOfKey = 12;
/** More, by hand: TIDINGS_SEEDS=1000. */
const seeds = Number(process.env["TIDINGS_SEEDS"] ?? 30);

/** Two services in a row; the second one takes its time, so that there is always something between fetch and commit. */
function chain(random: () => number) {
  const first = service("first").on(Happened, ({ data }, ctx) => void ctx.publish(Followed, data));
  const second = service("second", { retry: { immediateMs: [0], delayedMs: [30, 60, 120, 500] } }).on(
    Followed,
    async ({ data }, ctx) => {
      if (random() < 0.5) await ctx.sleep(random() * 40);
      if (random() < 0.1) throw new Error("not now");
      const box = ctx.state<number[]>("seen");
      box.set(data.key, [...((await box.get(data.key)) ?? []), data.n]);
    },
  );
  return [first, second];
}

/** Lets its processes die at any effect in either world, and their calls fail with and without effect, until it is calm. */
async function live(seed: number): Promise<Bench> {
  const dice = seededRandom(seed);
  const random = (): number => dice.next();
  const world = apart(seed);
  let calm = false;
  let current: Bench | undefined;
  let isDying = false;
  for (const each of [world.broker, world.store]) {
    each.observe(() => {
      if (!calm && current && random() < 0.01) isDying = true;
    });
    each.fail(({ kind }) => {
      if (calm || !current || kind === "admin") return undefined;
      if (isDying) world.kill(current);
      if (random() < 0.03) return { fail: kind === "publish" || kind === "transact" ? "after" : "before" };
      return random() < 0.05 ? { delayMs: random() * 50 } : undefined;
    });
  }
  const start = async (): Promise<Bench> => world.start(chain(random), { memberTtlMs: 1000 });
  const bury = async (dead: Bench): Promise<Bench> => {
    current = undefined;
    world.kill(dead);
    isDying = false;
    return start();
  };
  current = await start();
  for (let n = 0; n < eventsOfKey; n++) {
    for (const key of keys) {
      // Repeated until somebody has it: the id is the same.
      for (let done = false; !done;) {
        const publishing = current.app.publish(Happened, { key, n }, { id: `${key}${n}` });
        done = await drive(current.clock, publishing).then(
          () => true,
          () => false,
        );
        if (isDying) current = await bury(current);
      }
    }
    await current.clock.advance(random() * 40);
  }
  if (isDying) current = await bury(current);
  calm = true;
  return current;
}

it("whatever dies and whatever is not known, what handlers publish is handled once, and in order of its key", async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const b = await live(seed);
    await drive(b.clock, b.app.settled({ timeoutMs: 120_000 }));
    const box = b.app.state<number[]>("second", "seen");
    const all = Array.from({ length: eventsOfKey }, (_, n) => n);
    for (const key of keys) assert.deepEqual(await drive(b.clock, box.get(key)), all, `key ${key} of seed ${seed}`);
    const { handled, pending, held } = await totalsOf(b, "second/things");
    assert.deepEqual([handled, pending, held], [keys.length * eventsOfKey, 0, 0], `seed ${seed}`);
    await drive(b.clock, b.app.stop());
  }
});
