// A journal in a stream of which the server has removed the front.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { hasCode } from "tidings";

import { serviceUrl } from "../../scripts/services/url.ts";
import { movablePlatform } from "../../src/conformance/index.ts";
import { rabbitmq } from "../../src/engines/rabbitmq/index.ts";
import { journalTopic } from "../../src/journal/command.ts";
import { journaledEngine } from "../../src/journal/journaled.ts";
import type { Engine } from "../../src/ports/engine.ts";
import { entry, open, platform, prefixFor, record, until, withoutRabbitmq } from "../engines/rabbitmq/support.ts";
import { afterwards } from "../lib/afterwards.ts";
import { leaving } from "./broker.ts";

const kept = 512 * 1024;
/** So that little must be written until the server removes something. */
const small = { windowBytesMax: 256 * 1024, eventBytesMax: 512 * 1024 };
const write = (engine: Engine, key: string, value: string) =>
  engine.transact!({ documents: [{ collection: "c", key, value }] });
const all = (engine: Engine) => engine.state!.scan("c", { limit: 100 });

async function opened(t: TestContext) {
  const prefix = prefixFor(t);
  const broker = await open(t, { prefix, ...small });
  await broker.topics.declare([{ name: journalTopic, partitions: 1, bytesKept: kept }]);
  const journaled = (engine: Engine): Engine => {
    const made = journaledEngine(engine, platform);
    afterwards(t, () => made.close());
    return made;
  };
  return {
    broker,
    member: async (): Promise<Engine> => journaled(await open(t, { prefix, ...small })),
    leaver: async () => {
      const away = leaving(await open(t, { prefix, ...small }));
      const late = journaled(away.engine);
      afterwards(t, () => away.comeBack());
      return { away, late };
    },
    first: async (): Promise<number> => (await broker.topics.bounds(journalTopic))[0]!.first,
  };
}

/** Writes until the server has removed what stood at the position. */
async function untilCut(first: () => Promise<number>, position: number, put: (n: number) => Promise<unknown>) {
  for (let n = 0; (await first()) <= position; n += 40) {
    assert.ok(n < 10_000, "the server removes nothing");
    await Promise.all(Array.from({ length: 40 }, (_, more) => put(n + more)));
  }
}

describe("a journal in a stream that the server cuts", { skip: withoutRabbitmq }, () => {
  it("is gone on with by a new member, and by one that was away while its place was removed", async (t) => {
    const { member, leaver, first } = await opened(t);
    const one = await member();
    const { away, late } = await leaver();
    const [lease] = await one.leases!.acquire([{ name: "lease", owner: "one", ttlMs: 60_000 }]);
    await write(late, "mine", "1");
    away.leave();
    const reading = all(late);
    for (const beyond of [200, 2000])
      await untilCut(first, beyond, (n) => write(one, `key${n % 10}`, `${n}`.padEnd(1500)));
    away.comeBack();
    const documents = await all(one);
    assert.equal(documents.length, 11);
    assert.deepEqual(await reading, documents);
    const two = await member();
    assert.deepEqual(await all(two), documents);
    assert.equal((await two.transact!({ fences: [{ lease: "lease", token: lease!.token }] })).committed, true);
    for (const [n, each] of [one, two, late].entries())
      assert.equal((await write(each, "mine", `${n}`)).committed, true);
    assert.equal((await two.state!.get("c", ["mine"]))[0]?.version, 4);
  });

  it("is refused when its last snapshot was removed, and by those who had read it gone on with", async (t) => {
    const { broker, member, first } = await opened(t);
    const [one, other] = [await member(), await member()];
    for (let n = 0; n < 300; n++) await write(one, `key${n % 10}`, `${n}`.padEnd(1500));
    await write(other, "mine", "1");
    await other.close();
    const before = (await broker.topics.bounds(journalTopic))[0]!.next;
    await untilCut(first, before, (n) =>
      broker.topics.publish([entry(n, { topic: journalTopic, record: record(n, { data: "x".repeat(1500) }) })]),
    );
    const two = await member();
    await assert.rejects(all(two), (error) => hasCode(error, "TIDINGS_STORE_REPLACED"));
    await assert.rejects(write(two, "key0", "lost"), (error) => hasCode(error, "TIDINGS_STORE_REPLACED"));
    assert.match(two.trouble() ?? "", /no snapshot of it is left/);
    // Whoever still knows all of it writes it down anew.
    await until("it takes writes again", () => write(one, "key0", "kept").then(() => true, () => false)); // prettier-ignore
    const three = await member();
    assert.deepEqual(await all(three), await all(one));
    assert.equal((await three.state!.get("c", ["mine"]))[0]?.value, "1");
  });

  it("has the leases of a member whose clock is an hour ahead end when it is gone", async (t) => {
    const prefix = prefixFor(t);
    const ahead = movablePlatform();
    ahead.jump(3_600_000);
    const brokers = [await open(t, { prefix }), await rabbitmq({ url: serviceUrl("rabbitmq"), prefix, durability: "weak" }).open({ platform: ahead })]; // prettier-ignore
    const [right, wrong] = brokers.map((broker, n) => journaledEngine(broker, n === 0 ? platform : ahead));
    for (const engine of [right, wrong]) afterwards(t, () => engine!.close());
    const ask = (engine: Engine | undefined, owner: string) =>
      engine!.leases!.acquire([{ name: "lease", owner, ttlMs: 1500 }]).then(([lease]) => lease);
    assert.ok(await ask(right, "right"));
    assert.equal(await ask(wrong, "wrong"), undefined);
    await until("the other one has it", () => ask(wrong, "wrong").then(Boolean));
    assert.equal(await ask(right, "right"), undefined);
    await until("it is back", () => ask(right, "right").then(Boolean));
    assert.deepEqual((await right!.leases!.list("")).map(({ owner }) => owner), ["right"]); // prettier-ignore
    assert.deepEqual((await wrong!.leases!.list("")).map(({ owner }) => owner), ["right"]); // prettier-ignore
  });

  it("is kept whatever the address says of the age and the size of streams", async (t) => {
    const prefix = prefixFor(t);
    const broker = await open(t, { prefix, streamAgeMs: 1000, streamBytesMax: 1000, segmentBytes: 1000 });
    const engine = journaledEngine(broker, platform);
    for (let n = 0; n < 200; n++) await write(engine, "key", `${n}`.padEnd(1500));
    assert.equal((await broker.topics.find(journalTopic))?.bytesKept, 64 * 1024 * 1024);
    assert.equal((await broker.topics.bounds(journalTopic))[0]?.first, 0);
    await engine.close();
  });
});
