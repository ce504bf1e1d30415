import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { client, entry, type FullEngine, numbers, open, rejection, schema, withoutPostgres } from "./support.ts";

/** The address under which transactions have this level unless they say otherwise, as by a setting of the role. */
function levelled(level: string): string {
  const url = new URL(serviceUrl("postgres"));
  url.searchParams.set("options", `-c default_transaction_isolation=${level.replaceAll(" ", "\\ ")}`);
  return url.href;
}

async function publishMany({ topics }: FullEngine, first: number): Promise<(readonly [number, number])[]> {
  const acknowledged: (readonly [number, number])[] = [];
  for (let n = first; n < first + 120;) {
    const entries = Array.from({ length: 1 + (n % 3) }, () => entry(n++));
    const appended = await topics.publish(entries);
    appended.forEach(({ position }, index) => acknowledged.push([position, n - entries.length + index]));
  }
  return acknowledged;
}

async function pair(t: TestContext, level: string): Promise<[FullEngine, FullEngine, string]> {
  const name = await schema(t);
  const url = levelled(level);
  const engines = await Promise.all([open(t, { url, schema: name }), open(t, { url, schema: name })]);
  await Promise.all(engines.map(({ topics }) => topics.declare([{ name: "orders", partitions: 1 }])));
  return [...engines, name];
}

describe("a role whose transactions see the past only", { skip: withoutPostgres }, () => {
  for (const level of ["repeatable read", "serializable"])
    it(`(${level}) has each event where it was acknowledged`, async (t) => {
      const [one, other] = await pair(t, level);
      const acknowledged = (await Promise.all([publishMany(one, 0), publishMany(other, 1000)])).flat();
      const stored = await numbers(one);
      assert.equal(stored.length, acknowledged.length);
      for (const [position, n] of acknowledged) assert.equal(stored[position], n);
      assert.deepEqual((await other.verify()).problems, []);
    });

  it("may run SQL of its own before its events are placed", async (t) => {
    const [one, other] = await pair(t, "repeatable read");
    await one.transact({
      publish: [entry(3)],
      sql: [
        async (handle) => {
          await (handle as { query(text: string): Promise<unknown> }).query("SELECT count(*) FROM pg_class");
          await other.topics.publish([entry(0), entry(1), entry(2)]);
        },
      ],
    });
    assert.deepEqual(await numbers(other), [0, 1, 2, 3]);
  });
});

describe("a transaction that sees the past only", { skip: withoutPostgres }, () => {
  it("cannot be joined by events, and goes on", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const user = await client(t);
    await user.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const error = await rejection(engine.topics.publishIn?.(user, [entry(1)]) as never);
    assert.equal(error.code, "TIDINGS_TRANSACTION_MISUSE");
    assert.match(error.message, /repeatable read/);
    await user.query("SELECT 1");
    await user.query("ROLLBACK");
  });

  it("made so by SQL of the user is refused, also when it stays so", async (t) => {
    const engine = await open(t, { schema: await schema(t) });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    for (const text of [
      "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
      "SET default_transaction_isolation = serializable",
    ]) {
      const sql = async (handle: unknown): Promise<void> => {
        await (handle as { query(text: string): Promise<unknown> }).query(text);
      };
      const attempt = engine.transact({ publish: [entry(1)], sql: [sql] });
      if (text.includes("TRANSACTION")) assert.equal((await rejection(attempt)).code, "TIDINGS_TRANSACTION_MISUSE");
      else await attempt;
    }
    // A setting that was left behind is met once, with a connection that is then let go.
    await engine.topics.publish([entry(2)]).catch((error: { code?: string }) => {
      assert.equal(error.code, "TIDINGS_TRANSACTION_MISUSE");
    });
    await engine.topics.publish([entry(3)]);
    assert.equal((await numbers(engine)).at(-1), 3);
  });

  it("waits for another one that has the partition, as long as calls wait", async (t) => {
    const engine = await open(t, { schema: await schema(t), busyTimeoutMs: 4000 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const [one, other] = [await client(t), await client(t)];
    for (const user of [one, other]) await user.query("BEGIN");
    await engine.topics.publishIn?.(one, [entry(1)]);
    setTimeout(() => void one.query("COMMIT"), 1800);
    await engine.topics.publishIn?.(other, [entry(2)]);
    await other.query("COMMIT");
    assert.deepEqual(await numbers(engine), [1, 2]);
  });

  it("leaves the waiting of a user's transaction as it was", async (t) => {
    const engine = await open(t, { schema: await schema(t) });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const user = await client(t);
    await user.query("BEGIN");
    await user.query("SET LOCAL lock_timeout = '7s'");
    await engine.topics.publishIn?.(user, [entry(1)]);
    assert.deepEqual((await user.query("SHOW lock_timeout")).rows, [{ lock_timeout: "7s" }]);
    await user.query("COMMIT");
  });
});
