// What a broker refuses for good now and then, while processes die and calls fail.
import assert from "node:assert/strict";
import { it } from "node:test";
import { service } from "tidings";
import { TidingsError } from "../../src/errors/tidings-error.ts";
import { seededRandom } from "../../src/platform/random.ts";
import { type Bench, drive, Followed, Happened, totalsOf } from "../delivery/support.ts";
import { apart } from "./support.ts";

const keys = ["a", "b", "c", "d", "e", "f"] as const;
const eventsOfKey = 8;
/** More, by hand: TIDINGS_SEEDS=1000. */
const seeds = Number(process.env["TIDINGS_SEEDS"] ?? 20);

/** What a fault hook of a world sees. */
type Call = Parameters<Parameters<ReturnType<typeof apart>["broker"]["fail"]>[0]>[0];

const chain = () => [
  service("first").on(Happened, ({ data }, ctx) => void ctx.publish(Followed, data)),
  service("second").on(Followed, async ({ data }, ctx) => {
    const box = ctx.state<number[]>("seen");
    box.set(data.key, [...((await box.get(data.key)) ?? []), data.n]);
  }),
];

/** Asks for every parked row to be sent again; what fails is asked for another time. */
async function retryAll({ app, clock }: Bench): Promise<number> {
  const rows = await drive(clock, app.admin.outbox.parked()).catch(() => []);
  for (const { id, refused } of rows)
    if (refused) await drive(clock, app.admin.outbox.retry(id)).catch(() => undefined);
  return rows.length;
}

async function live(seed: number): Promise<Bench> {
  const dice = seededRandom(seed);
  const random = (): number => dice.next();
  const world = apart(seed);
  /** Numbers that the broker refuses for now. */
  const refused = new Set([1, 4]);
  let calm = false;
  const isRefused = ({ kind, entries }: Call): boolean =>
    kind === "publish" &&
    (entries ?? []).some(({ record }) => {
      if (record.type !== "thing.followed") return false;
      return refused.has((JSON.parse(record.data as string) as { n: number }).n);
    });
  world.broker.fail((call) =>
    isRefused(call) ? { fail: "before", error: new TidingsError("TIDINGS_EVENT_TOO_LARGE", "Too large.") } : undefined,
  );
  for (const each of [world.broker, world.store])
    each.fail((call) => {
      if (calm || call.kind === "admin" || call.kind === "read" || isRefused(call)) return undefined;
      if (random() < 0.06) return { fail: random() < 0.5 && call.kind !== "lease" ? "after" : "before" };
      return random() < 0.1 ? { delayMs: random() * 50 } : undefined;
    });
  const start = async (): Promise<Bench> => {
    calm = true;
    const started = await world.start(chain(), { memberTtlMs: 1000 });
    calm = false;
    return started;
  };
  let current = await start();
  for (let n = 0; n < eventsOfKey; n++) {
    for (const key of keys)
      for (let done = false; !done;)
        done = await drive(current.clock, current.app.publish(Happened, { key, n }, { id: `${key}${n}` })).then(
          () => true,
          () => false,
        );
    await current.clock.advance(random() * 60);
    if (random() < 0.3) await retryAll(current);
    if (random() < 0.2) refused.delete(1);
    if (random() < 0.3) {
      world.kill(current);
      current = await start();
    }
  }
  calm = true;
  refused.clear();
  for (let tries = 0; tries < 50 && (await retryAll(current)) > 0; tries++) await current.clock.advance(3000);
  return current;
}

it("whatever the broker refuses meanwhile is handled once, and in order of its key, when it takes it at last", async () => {
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
