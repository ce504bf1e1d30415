import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { client, entry, type FullEngine, numbers, open, rejection, schema, withoutPostgres } from "./support.ts";

const limits = { events: 100, bytes: 1 << 20 };

describe("several members on one Postgres", { skip: withoutPostgres }, () => {
  it("never see an event behind one that a transaction has placed and not yet committed", async (t) => {
    const name = await schema(t);
    const [one, two] = [await open(t, { schema: name }), await open(t, { schema: name })];
    await one.topics.declare([{ name: "orders", partitions: 2 }]);
    const late = await client(t);
    await late.query("BEGIN");
    const [placed] = (await one.topics.publishIn?.(late, [entry(1)])) ?? [];
    assert.deepEqual(placed, { position: 0, duplicate: false });
    let answered = false;
    const behind = two.topics.publish([entry(2)]).then(() => (answered = true));
    await one.topics.publish([entry(3, { partition: 1 })]);
    assert.deepEqual([answered, await numbers(one), await numbers(one, 1)], [false, [], [3]]);
    await late.query("COMMIT");
    await behind;
    assert.deepEqual(await numbers(two), [1, 2]);
  });

  it("give the place of a transaction that is rolled back to the next event", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const user = await client(t);
    await user.query("BEGIN");
    await engine.topics.publishIn?.(user, [entry(1)]);
    await user.query("ROLLBACK");
    const [appended] = await engine.topics.publish([entry(2)]);
    assert.equal(appended?.position, 0);
    assert.deepEqual(await numbers(engine), [2]);
  });

  it("are not stalled by an old transaction elsewhere in the cluster", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const old = await client(t);
    await old.query("BEGIN");
    await old.query("SELECT pg_current_xact_id()");
    for (let n = 0; n < 20; n++) await engine.topics.publish([entry(n)]);
    assert.deepEqual(
      await numbers(engine),
      Array.from({ length: 20 }, (_, n) => n),
    );
    await old.query("ROLLBACK");
  });

  it("append to many partitions in every order without a deadlock that anybody sees, and without a hole", async (t) => {
    const name = await schema(t);
    const engines = await Promise.all([1, 2, 3].map(() => open(t, { schema: name })));
    await engines[0]?.topics.declare([{ name: "orders", partitions: 4 }]);
    const each = 40;
    await Promise.all(
      engines.flatMap((engine, member) =>
        Array.from({ length: each }, (_, i) => {
          const n = member * each + i;
          const order = [0, 1, 2, 3].map((p) => (p * (member + 1) + i) % 4);
          const parts = [...new Set(order)];
          return engine.topics.publish(parts.map((partition) => entry(n, { partition })));
        }),
      ),
    );
    for (let partition = 0; partition < 4; partition++) {
      const all = await numbers(engines[1] as never, partition);
      assert.equal(new Set(all).size, all.length);
      const [bounds] = (await engines[2]?.topics.bounds("orders")) ?? [];
      assert.ok(bounds && bounds.first === 0);
    }
    const { next } = (await engines[0]?.topics.read("orders", 0, 0, { events: 1000, bytes: 1 << 24 })) ?? { next: 0 };
    assert.equal(next, (await engines[0]?.topics.bounds("orders"))?.[0]?.next);
  });

  it("cannot both rely on what the other one makes", async (t) => {
    const name = await schema(t);
    const [one, two] = [await open(t, { schema: name }), await open(t, { schema: name })];
    for (let round = 0; round < 25; round++) {
      const [a, b] = [`a${round}`, `b${round}`];
      const make = (engine: typeof one, absent: string, made: string) =>
        engine.transact({
          checks: [{ collection: "c", key: absent, version: 0 }],
          documents: [{ collection: "c", key: made, value: "1" }],
        });
      const outcomes = await Promise.all([make(one, a, b), make(two, b, a)]);
      assert.ok(outcomes.filter(({ committed }) => committed).length <= 1, `round ${round}: both committed`);
    }
  });

  it("know an id that two of them publish at once as one event", async (t) => {
    const name = await schema(t);
    const engines = await Promise.all([1, 2, 3, 4].map(() => open(t, { schema: name })));
    await engines[0]?.topics.declare([{ name: "orders", partitions: 1 }]);
    for (let n = 0; n < 20; n++) {
      const answers = await Promise.all(engines.map((engine) => engine.topics.publish([entry(n, { checkId: true })])));
      assert.equal(new Set(answers.map(([appended]) => appended?.position)).size, 1);
      assert.equal(answers.filter(([appended]) => appended?.duplicate === false).length, 1);
    }
    assert.equal((await numbers(engines[0] as never)).length, 20);
  });

  it("refuse a member whose lease another one has taken", async (t) => {
    const name = await schema(t);
    const [one, two] = [await open(t, { schema: name }), await open(t, { schema: name })];
    const [lease] = await one.leases.acquire([{ name: "l", owner: "one", ttlMs: 1 }]);
    const fence = { lease: "l", token: lease?.token ?? 0 };
    const [taken] = await two.leases.acquire([{ name: "l", owner: "two", ttlMs: 60_000 }]);
    assert.equal(taken?.token, fence.token + 1);
    const outcome = await one.transact({ fences: [fence], documents: [{ collection: "c", key: "k", value: "late" }] });
    assert.deepEqual(outcome, { committed: false, conflict: { kind: "fence", index: 0 } });
    assert.deepEqual(await two.state.get("c", ["k"]), [undefined]);
  });

  it("hear of each other's events by notification, and without it by looking", async (t) => {
    for (const notify of [true, false]) {
      const name = await schema(t);
      const [one, two] = [await open(t, { schema: name, notify }), await open(t, { schema: name, notify })];
      await one.topics.declare([{ name: "orders", partitions: 1 }]);
      await two.topics.find("orders");
      const heard = new Promise<void>((resolve) => void two.topics.watch("orders", () => resolve()));
      await one.topics.publish([entry(1)]);
      await heard;
    }
  });

  it("lets members that append to one partition follow it at once, without a gap and without a repetition", async (t) => {
    const name = await schema(t);
    const engines = await Promise.all([0, 1, 2].map(() => open(t, { schema: name })));
    await engines[0]?.topics.declare([{ name: "orders", partitions: 1 }]);
    const each = 150;
    const total = each * engines.length;
    const follow = async ({ topics }: FullEngine): Promise<string[]> => {
      let wake = (): void => undefined;
      const stop = topics.watch("orders", () => wake());
      const seen: string[] = [];
      for (let position = 0; position < total;) {
        const news = new Promise<void>((resolve) => (wake = resolve));
        const page = await topics.read("orders", 0, position, { events: 40, bytes: 1 << 20 });
        for (const record of page.records) assert.equal(record.position, seen.push(record.id) - 1);
        position = page.next;
        if (page.end && position < total) await news;
      }
      stop();
      return seen;
    };
    const followed = Promise.all(engines.map(follow));
    await Promise.all(
      engines.map(async ({ topics }, member) => {
        for (let n = 0; n < each; n += 3)
          await topics.publish([0, 1, 2].map((more) => entry(member * 1000 + n + more)));
      }),
    );
    const [first, ...others] = await followed;
    assert.equal(new Set(first).size, total);
    for (const other of others) assert.deepEqual(other, first);
  });
});

describe("a transaction of the user", { skip: withoutPostgres }, () => {
  it("carries events with rows of the user's own, both or neither", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const user = await client(t);
    await user.query(`CREATE TABLE "${name}".invoice (n integer)`);
    for (const end of ["ROLLBACK", "COMMIT"]) {
      await user.query("BEGIN");
      await user.query(`INSERT INTO "${name}".invoice VALUES (1)`);
      await engine.topics.publishIn?.(user, [entry(1, { checkId: true })]);
      await user.query(end);
      const { rowCount } = await user.query(`SELECT 1 FROM "${name}".invoice`);
      const { records } = await engine.topics.read("orders", 0, 0, limits);
      assert.deepEqual([rowCount, records.length], end === "COMMIT" ? [1, 1] : [0, 0]);
    }
    await user.query("BEGIN");
    const [again] = (await engine.topics.publishIn?.(user, [entry(1, { checkId: true })])) ?? [];
    await user.query("COMMIT");
    assert.deepEqual(again, { position: 0, duplicate: true });
  });

  it("must be open: a publish that could not be rolled back is refused", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const user = await client(t);
    for (const handle of [user, {}, undefined])
      assert.equal((await rejection(engine.topics.publishIn?.(handle, [entry(1)]) as never)).code, "TIDINGS_TRANSACTION_MISUSE"); // prettier-ignore
    assert.deepEqual(await numbers(engine), []);
  });
});
