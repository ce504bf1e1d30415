import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { describe, it, type TestContext } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { entry, open, record, schema, withoutPostgres } from "./support.ts";

/** An address that leads to the server, and how many bytes have come from there. */
async function counted(t: TestContext): Promise<{ readonly url: string; readonly bytes: () => number }> {
  const url = new URL(serviceUrl("postgres"));
  const { hostname: host, port } = url;
  let bytes = 0;
  const proxy = createServer((near) => {
    const far = connect(Number(port || 5432), host);
    far.on("data", (data) => (bytes += data.length));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on("error", () => other.destroy()).pipe(other);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  afterwards(t, () => new Promise<void>((resolve) => void proxy.close(() => resolve())));
  url.host = `127.0.0.1:${(proxy.address() as { port: number }).port}`;
  return { url: url.href, bytes: () => bytes };
}

describe("what is gone by retention behind what a member has appended itself", { skip: withoutPostgres }, () => {
  it("is reported as lost by the next read, and not left out of this one", async (t) => {
    const name = await schema(t);
    const member = await open(t, { schema: name, notify: false, pollMs: 600_000 });
    const other = await open(t, { schema: name });
    await member.topics.declare([{ name: "orders", partitions: 1 }]);
    await member.topics.publish([entry(0)]);
    for (const n of [1, 2]) await other.topics.publish([entry(n)]);
    await other.topics.retain("orders", { appendedBeforeMs: Date.now() + 60_000 });
    await other.topics.publish([entry(3)]);
    const limits = { events: 10, bytes: 1 << 20 };
    const first = await member.topics.read("orders", 0, 0, limits);
    const second = await member.topics.read("orders", 0, first.next, limits);
    const positions = [first, second].map(({ records }) => records.map(({ position }) => position));
    assert.deepEqual([positions, first.lost, second.lost], [[[0], [3]], 0, 2]);
  });
});

describe("events of a megabyte behind small ones", { skip: withoutPostgres }, () => {
  it("come as many at a time as the reader has room for", async (t) => {
    const name = await schema(t);
    const writer = await open(t, { schema: name });
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    // One event a chunk, from which a reader would conclude that it takes many chunks to fill a page.
    for (let n = 0; n < 8; n++) await writer.topics.publish([entry(n)]);
    const data = JSON.stringify({ x: "y".repeat(1_000_000) });
    for (let n = 8; n < 40; n++) await writer.topics.publish([entry(n, { record: record(n, { data }) })]);
    const { url, bytes } = await counted(t);
    const reader = await open(t, { url, schema: name });
    let events = 0;
    for (let position = 0; ;) {
      const before = bytes();
      const { records, next, end } = await reader.topics.read("orders", 0, position, { events: 512, bytes: 2_500_000 });
      assert.ok(bytes() - before < 4_000_000, `${bytes() - before} bytes came for ${records.length} events`);
      events += records.length;
      if (records.length === 0) break;
      assert.ok(!end || next === 40);
      position = next;
    }
    assert.equal(events, 40);
  });
});
