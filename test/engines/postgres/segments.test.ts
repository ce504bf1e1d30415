import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { client, entry, numbers, open, schema, withoutPostgres } from "./support.ts";

describe("segments of a topic", { skip: withoutPostgres }, () => {
  it("are begun as the topic grows, read as one, and dropped as tables when nothing of them is left", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name, segmentBytes: 64 * 1024 });
    const admin = await client(t);
    const tables = async (): Promise<number> => {
      const text = "SELECT count(*)::integer AS n FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = $1 AND relname LIKE 'chunk\\_%' AND relkind = 'r'"; // prettier-ignore
      const { rows } = await admin.query<{ n: number }>(text, [name]);
      return rows[0]?.n ?? 0;
    };
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    const written: number[] = [];
    const instants: number[] = [];
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 40; i++) {
        const n = round * 40 + i;
        const data = JSON.stringify({
          n,
          pad: Array.from({ length: 100 }, (_, j) => (n * 7919 + j * 104_729) % 99_991),
        });
        await engine.topics.publish([entry(n, { record: { ...entry(n).record, data } })]);
        written.push(n);
      }
      instants.push(Date.now() + 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(await engine.topics.retain("orders", {}), 0);
    }
    const grown = await tables();
    assert.ok(grown >= 4, `${grown} segments`);
    assert.deepEqual(await numbers(engine), written);
    const third = (await engine.topics.positionsAt("orders", instants[2] ?? 0))[0];
    assert.equal(third, 120);
    assert.equal(
      await engine.topics.retain("orders", { appendedBeforeMs: instants[3] ?? 0, floor: [1000, 1000] }),
      160,
    );
    assert.ok((await tables()) < grown, "no segment was dropped");
    assert.deepEqual(await numbers(engine), written.slice(160));
    assert.deepEqual(await engine.topics.bounds("orders"), [
      { first: 160, next: 240 },
      { first: 0, next: 0 },
    ]);
    const { lost } = await engine.topics.read("orders", 0, 10, { events: 1, bytes: 1 });
    assert.equal(lost, 150);
    await engine.topics.publish([entry(240)]);
    assert.equal((await numbers(engine)).at(-1), 240);
    assert.deepEqual((await engine.verify()).problems, []);
  });

  it("are begun while others append, and nothing is lost or placed twice", async (t) => {
    const name = await schema(t);
    const [one, two] = [
      await open(t, { schema: name, segmentBytes: 8192 }),
      await open(t, { schema: name, segmentBytes: 8192 }),
    ];
    await one.topics.declare([{ name: "orders", partitions: 1 }]);
    let running = true;
    const tidy = (async () => {
      while (running) await two.topics.retain("orders", {});
    })();
    const places: number[] = [];
    await Promise.all(
      [one, two].map(async (engine, member) => {
        for (let n = 0; n < 100; n++) {
          const [appended] = await engine.topics.publish([entry(member * 1000 + n)]);
          places.push(appended?.position ?? -1);
        }
      }),
    );
    running = false;
    await tidy;
    assert.deepEqual(
      places.toSorted((a, b) => a - b),
      Array.from({ length: 200 }, (_, n) => n),
    );
    assert.equal((await numbers(one)).length, 200);
    assert.deepEqual((await one.verify()).problems, []);
  });

  it("that others began while a transaction of the user was open are found by it", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name, segmentBytes: 8192 });
    const user = await client(t);
    await engine.topics.declare([
      { name: "orders", partitions: 1 },
      { name: "audit", partitions: 1 },
    ]);
    await engine.topics.publish([entry(0)]);
    await user.query("BEGIN");
    await engine.topics.publishIn?.(user, [entry(0, { topic: "audit" })]);
    const written = [0];
    for (let n = 1; n < 3; n++) {
      await engine.topics.publish([entry(n)]);
      await engine.topics.retain("orders", {});
      written.push(n);
    }
    const appended = await engine.topics.publishIn?.(user, [entry(3), entry(4)]);
    await user.query("COMMIT");
    assert.deepEqual(
      appended?.map(({ position }) => position),
      [3, 4],
    );
    assert.deepEqual(await numbers(engine), [...written, 3, 4]);
    assert.deepEqual((await engine.verify()).problems, []);
  });
});
