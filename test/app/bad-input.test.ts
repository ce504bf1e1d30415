import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type AppOptions, service, tidings, topic } from "tidings";
import { z } from "zod";
import { silentLogger } from "../../src/delivery/log.ts";

const things = topic("things", { key: (data: { key: string }) => data.key });
const Happened = things.event("thing.happened", { data: z.object({ key: z.string() }) });

const start = (options: Partial<AppOptions>): Promise<unknown> =>
  tidings({ name: "bad", logger: silentLogger, ...options }).start();

describe("an application that cannot start", () => {
  it("names an unknown scheme and suggests the one that was meant", async () => {
    await assert.rejects(start({ url: "sqlit:shop.db" }), {
      code: "TIDINGS_UNKNOWN_ENGINE",
      message: /sqlit:.*did you mean "sqlite:"/,
    });
    await assert.rejects(start({ url: "shop.db" }), {
      code: "TIDINGS_UNKNOWN_ENGINE",
      message: /write sqlite:shop\.db/,
    });
  });

  it("says that an engine of a later version is not there, without the password", async () => {
    await assert.rejects(start({ url: "pulsar://user:hidden@db/shop" }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "TIDINGS_UNKNOWN_ENGINE");
      assert.ok(!error.message.includes("hidden"));
      return true;
    });
  });

  it("asks for a URL when neither option nor environment has one", async () => {
    const before = process.env["TIDINGS_URL"];
    delete process.env["TIDINGS_URL"];
    await assert.rejects(start({}), { code: "TIDINGS_INVALID_OPTION", message: /TIDINGS_URL/ });
    if (before !== undefined) process.env["TIDINGS_URL"] = before;
  });

  it("suggests the right name of a wrong option", () => {
    assert.throws(() => tidings({ name: "x", sevices: [] } as never), {
      code: "TIDINGS_INVALID_OPTION",
      message: /sevices.*did you mean "services"/,
    });
    assert.throws(() => service("x", { concurency: 3 } as never), {
      code: "TIDINGS_INVALID_OPTION",
      message: /concurency.*did you mean "concurrency"/,
    });
    assert.throws(() => topic("x", { partition: 3 } as never), {
      code: "TIDINGS_INVALID_OPTION",
      message: /partition.*did you mean "partitions"/,
    });
  });

  it("has two handlers for one type in a service", () => {
    const one = service("x").on(Happened, () => undefined);
    assert.throws(() => one.on(Happened, () => undefined), {
      code: "TIDINGS_DUPLICATE_HANDLER",
      message: /"x".*"thing\.happened"/,
    });
  });

  it("has two services of one name", () => {
    assert.throws(() => tidings({ name: "x", url: "memory:", services: [service("a"), service("a")] }), {
      code: "TIDINGS_INVALID_OPTION",
    });
  });

  it("gives a path that cannot be used or a file that is not ours", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tidings-bad-"));
    await assert.rejects(start({ url: `sqlite:${folder}/none/shop.db` }), { code: "TIDINGS_PATH_UNUSABLE" });
    writeFileSync(join(folder, "notes.txt"), "not a database, and long enough to have a header of its own ".repeat(20));
    await assert.rejects(start({ url: `sqlite:${folder}/notes.txt` }), { code: "TIDINGS_NOT_OUR_FILE" });
    rmSync(folder, { recursive: true });
  });

  it("gives a topic another number of partitions than it has", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tidings-bad-"));
    const url = `sqlite:${folder}/shop.db`;
    const app = await tidings({
      name: "a",
      url,
      topics: [topic("t", { partitions: 2 })],
      logger: silentLogger,
    }).start();
    await app.stop();
    await assert.rejects(start({ url, topics: [topic("t", { partitions: 3 })] }), {
      code: "TIDINGS_PARTITIONS_CHANGED",
      message: /"t"/,
    });
    rmSync(folder, { recursive: true });
  });

  it("is started twice, or used before its start and after its stop", async () => {
    const app = tidings({ name: "x", url: "memory:", logger: silentLogger });
    await assert.rejects(app.publish(Happened, { key: "k" }), { code: "TIDINGS_NOT_STARTED" });
    await app.start();
    await assert.rejects(app.start(), { code: "TIDINGS_ALREADY_STARTED" });
    await app.stop();
    await assert.rejects(app.publish(Happened, { key: "k" }), { code: "TIDINGS_NOT_STARTED" });
  });
});

describe("a publish", () => {
  it("is refused at once when too much waits, and accepted work is kept", async () => {
    const app = await tidings({
      name: "x",
      url: "memory:",
      topics: [things],
      limits: { publish: { eventsMax: 10 } },
      logger: silentLogger,
    }).start();
    const results = await Promise.allSettled(
      Array.from({ length: 25 }, (_, i) => app.publish(Happened, { key: `k${i}` })),
    );
    const refused = results.filter(({ status }) => status === "rejected");
    assert.equal(refused.length, 15);
    for (const result of refused) assert.equal((result as PromiseRejectedResult).reason.code, "TIDINGS_OVERLOADED");
    assert.equal((await app.totals()).published, 10);
    await app.publish(Happened, { key: "after" });
    await app.stop();
  });

  it("of several events writes all or none", async () => {
    const app = await tidings({ name: "x", url: "memory:", topics: [things], logger: silentLogger }).start();
    await assert.rejects(
      app.publishAll([
        [Happened, { key: "a" }],
        [Happened, { key: 3 }],
      ]),
      { code: "TIDINGS_INVALID_PAYLOAD" },
    );
    assert.equal((await app.totals()).published, 0);
    await app.publishAll([
      [Happened, { key: "a" }],
      [Happened, { key: "b" }],
    ]);
    assert.equal((await app.totals()).published, 2);
    await app.stop();
  });

  it("with an id of the caller's own is written once", async () => {
    const app = await tidings({ name: "x", url: "memory:", topics: [things], logger: silentLogger }).start();
    await Promise.all([1, 2, 3].map(() => app.publish(Happened, { key: "a" }, { id: "fixed" })));
    assert.equal((await app.totals()).published, 1);
    await assert.rejects(app.publish(Happened, { key: "b" }, { id: "fixed" }), { code: "TIDINGS_ID_CONFLICT" });
    await app.stop();
  });
});

describe("a Node that is too old", () => {
  it(
    "gets one sentence",
    { skip: process.env["TIDINGS_OLD_NODE"] ? false : "TIDINGS_OLD_NODE names no older Node" },
    () => {
      const { stderr, status } = spawnSync(process.env["TIDINGS_OLD_NODE"] as string, [
        "-e",
        "import('tidings').then((t) => t.tidings({ name: 'x', url: 'sqlite:/tmp/x.db' }).start()).catch((e) => { console.error(e.message); process.exit(3); })",
      ]);
      assert.equal(status, 3);
      assert.match(String(stderr), /Node/);
    },
  );
});
