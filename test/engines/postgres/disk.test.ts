// What becomes of an application when the disk of its server gets full.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import { type App, isTidingsError, service, tidings, topic } from "tidings";
import { z } from "zod";

import { postgres as kind } from "../../../scripts/chaos/postgres.ts";
import type { RunningServer } from "../../../scripts/chaos/server.ts";
import { silentLogger } from "../../../src/delivery/log.ts";
import { postgres, type UserSql } from "../../../src/engines/postgres/index.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { smallDisk, withoutRoot, withoutSmallDisk } from "../../lib/machine.ts";
import { fill, serverOn } from "./small-disk.ts";
import { client, entry, open, platform, rejection, until, withoutPostgres } from "./support.ts";

const jobs = topic("jobs", { key: (data: { n: number }) => `${data.n % 5}`, partitions: 2 });
const Job = jobs.event("disk.job", { data: z.object({ n: z.number(), pad: z.string() }) });
const results = topic("results", { key: (data: { n: number }) => `${data.n}`, partitions: 2 });
const Done = results.event("disk.done", { data: z.object({ n: z.number(), pad: z.string() }) });

/**
 * An application that publishes numbered events, and handles each by publishing another one of the same size, and every other
 * one by SQL of its own before.
 */
class Works {
  readonly app: App;
  /** How often a handler was called again. */
  again = 0;
  readonly acknowledged: number[] = [];
  /** By number, the code that the publish was refused with. */
  readonly refused = new Map<number, string>();
  readonly #bytes: number;
  #next = 0;
  /** Handlers wait for it. */
  #gate = Promise.resolve();

  constructor(server: RunningServer, bytes: number) {
    this.#bytes = bytes;
    const worker = service("worker", { from: "start" }).on(Job, async ({ data }, ctx) => {
      await this.#gate;
      if (ctx.attempt > 1) this.again++;
      const row = [data.n, this.#pad()];
      if (data.n % 2 === 1) ctx.tx((db) => (db as UserSql).query("INSERT INTO done (n, pad) VALUES ($1, $2)", row));
      ctx.publish(Done, { n: data.n, pad: this.#pad() });
    });
    this.app = tidings({
      name: "disk",
      url: kind.url(server, server.port, { requestTimeoutMs: 5000, busyTimeoutMs: 1000 }),
      services: [worker],
      topics: [jobs, results],
      logger: silentLogger,
    });
  }

  /** Starts it, and stops it after the test. */
  static async started(t: TestContext, server: RunningServer, bytes: number): Promise<Works> {
    await (await client(t, kind.service.url(server.place))).query("CREATE TABLE done (n integer, pad text)");
    const works = new Works(server, bytes);
    await works.app.start();
    afterwards(t, () => works.app.stop());
    return works;
  }

  /** Nothing that could be compressed. */
  #pad(): string {
    return randomBytes(this.#bytes / 2).toString("hex");
  }

  /** Lets no handler go on until the answer is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  async publish(): Promise<string | undefined> {
    const n = this.#next++;
    try {
      await this.app.publish(Job, { n, pad: this.#pad() });
      this.acknowledged.push(n);
      return undefined;
    } catch (error) {
      const code = isTidingsError(error) ? error.code : String(error);
      this.refused.set(n, code);
      return code;
    }
  }

  async publishUntil(what: string, holds: (code: string | undefined) => boolean): Promise<void> {
    await until(what, async () => holds(await this.publish()), 60_000);
  }

  async refusedTimes(times: number): Promise<void> {
    const before = this.refused.size;
    await this.publishUntil("publishes are refused", () => this.refused.size >= before + times);
  }

  /** Why the engine and the subscription are in trouble. */
  async troubles(): Promise<{ status: string; engine: string; deliveries: string }> {
    const { status, engine, subscriptions } = await this.app.health();
    return { status, engine: engine.trouble ?? "", deliveries: subscriptions[0]?.reason ?? "" };
  }

  async isWell(): Promise<boolean> {
    return (await this.app.health()).status === "green";
  }
}

/** The numbers in a topic, in no order. */
async function numbersIn(engine: Engine, name: string): Promise<number[]> {
  const all: number[] = [];
  for (const partition of [0, 1])
    for (let position = 0; ;) {
      const { records, next } = await engine.topics.read(name, partition, position, { events: 100, bytes: 1 << 20 });
      if (records.length === 0) break;
      for (const { data } of records) all.push((JSON.parse(data as string) as { n: number }).n);
      position = next;
    }
  return all.toSorted((a, b) => a - b);
}

/** After another death of the server: what was acknowledged is there once, what was not written is not, and each was handled once. */
async function assertPromises(t: TestContext, server: RunningServer, works: Works): Promise<void> {
  await works.app.settled({ timeoutMs: 60_000 });
  await works.app.stop();
  await server.kill();
  await server.start();
  assert.equal(works.again, 0, "nobody's handler is at fault");
  const engine = await open(t, { url: kind.url(server, server.port, { requestTimeoutMs: 5000 }) });
  const found = await numbersIn(engine, "jobs");
  const unknown = found.filter((n) => works.refused.get(n) === "TIDINGS_OUTCOME_UNKNOWN");
  assert.deepEqual(
    found,
    [...works.acknowledged, ...unknown].toSorted((a, b) => a - b),
  );
  assert.deepEqual(await numbersIn(engine, "results"), found);
  const { rows } = await (
    await client(t, kind.service.url(server.place))
  ).query<{ n: number }>("SELECT n FROM done ORDER BY n");
  assert.deepEqual(
    rows.map(({ n }) => n),
    found.filter((n) => n % 2 === 1),
  );
  assert.deepEqual((await engine.verify()).problems, []);
  t.diagnostic(
    `${works.acknowledged.length} acknowledged, ${works.refused.size} refused, ${unknown.length} of these there`,
  );
}

describe(
  "an application whose server",
  { skip: withoutPostgres || withoutRoot() || withoutSmallDisk(), timeout: 300_000 },
  () => {
    it("has no room for data refuses with a code, is red, and goes on by itself when there is some, again and again", async (t) => {
      const disk = smallDisk(t, 96);
      const server = await serverOn(t, disk, "data");
      const works = await Works.started(t, server, 20_000);
      for (let round = 0; round < 3; round++) {
        await works.publishUntil("it publishes", (code) => code === undefined);
        await until("all is well", () => works.isWell());
        const release = works.hold();
        for (const _ of ["one with SQL of its own", "one without"])
          await works.publishUntil("there is something to handle", (code) => code === undefined);
        const makeRoom = fill(disk);
        await works.refusedTimes(3);
        const full = await works.troubles();
        assert.equal(full.status, "red");
        assert.match(full.engine, /The disk of the server .* is full; nothing was written\./);
        assert.deepEqual(await numbersIn(works.app.engine, "jobs"), works.acknowledged);
        release();
        await until("deliveries are red", async () => (await works.troubles()).deliveries.includes("is full"));
        makeRoom();
      }
      await works.publishUntil("it publishes again", (code) => code === undefined);
      await until("it is green again", () => works.isWell());
      assert.deepEqual([...new Set(works.refused.values())], ["TIDINGS_DISK_FULL"]);
      await assertPromises(t, server, works);
    });

    it("dies because there is no room for its log says what is not known, is red, and goes on when that runs again", async (t) => {
      const disk = smallDisk(t, 80);
      const server = await serverOn(t, disk, "log");
      const works = await Works.started(t, server, 400_000);
      await works.publishUntil("it publishes", (code) => code === undefined);
      await until("all is well", () => works.isWell());
      // So that it is a publish that finds no room.
      const release = works.hold();
      const makeRoom = fill(disk);
      await works.refusedTimes(3);
      assert.equal((await works.troubles()).status, "red");
      release();
      makeRoom();
      // As whoever looks after the server does it.
      await server.kill();
      await server.start();
      await works.publishUntil("it publishes again", (code) => code === undefined);
      await until("it is green again", () => works.isWell());
      // Some of what was written to the log before it ended may be there: nobody may say that nothing was written.
      const codes = new Set(works.refused.values());
      t.diagnostic([...codes].join());
      assert.ok(!codes.has("TIDINGS_DISK_FULL"));
      await assertPromises(t, server, works);
    });

    it("is full when it begins says so, whatever needs the room, and begins when there is some", async (t) => {
      const disk = smallDisk(t, 96);
      const server = await serverOn(t, disk, "data");
      const url = kind.url(server, server.port, { requestTimeoutMs: 5000 });
      const engine = await open(t, { url });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      const makeRoom = fill(disk);
      const other = postgres({ url, schema: "other" });
      assert.equal((await rejection(other.open({ platform }))).code, "TIDINGS_DISK_FULL");
      // Before its first commit it says who it is, and there is no room for that either.
      assert.equal((await rejection(engine.topics.publish([entry(1)]))).code, "TIDINGS_DISK_FULL");
      assert.match(engine.trouble() ?? "", /is full/);
      makeRoom();
      await engine.topics.publish([entry(2)]);
      assert.equal(engine.trouble(), undefined);
      assert.deepEqual((await engine.topics.read("orders", 0, 0, { events: 9, bytes: 1 << 20 })).records.map(({ id }) => id), ["id-2"]); // prettier-ignore
      const opened = await open(t, { url, schema: "other" });
      assert.deepEqual(await opened.topics.list(), []);
    });
  },
);
