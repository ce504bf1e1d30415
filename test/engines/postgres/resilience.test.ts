import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";

import { FaultProxy } from "../../../scripts/chaos/proxy.ts";
import { hasCode } from "../../../src/errors/tidings-error.ts";
import {
  client,
  entry,
  type FullEngine,
  numbers,
  open,
  rejection,
  schema,
  until,
  withoutPostgres,
  named,
} from "./support.ts";
import type pg from "pg";

/** Ends every connection of this name. */
async function endAll(admin: pg.Client, name: string): Promise<number> {
  const { rowCount } = await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [name]); // prettier-ignore
  return rowCount ?? 0;
}

describe("when the server ends connections", { skip: withoutPostgres, concurrency: 1 }, () => {
  it("idle ones are made anew without anybody noticing", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { url: named(name), schema: name });
    const admin = await client(t);
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    for (let n = 0; n < 10; n++) {
      await engine.topics.publish([entry(n)]);
      const pids = "SELECT pid FROM pg_stat_activity WHERE application_name = $1";
      const ended = await admin.query<{ pid: number }>(pids, [name]);
      assert.ok((await endAll(admin, name)) > 0);
      await until("they are gone", async () => {
        const { rows } = await admin.query<{ pid: number }>(pids, [name]);
        return !rows.some(({ pid }) => ended.rows.some((one) => one.pid === pid));
      });
      // The news of the end comes as an event of the socket.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("under load nothing acknowledged is lost, and what is repeated under its id is there once", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { url: named(name), schema: name });
    const admin = await client(t);
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    let running = true;
    let unknown = 0;
    const publisher = async (from: number): Promise<void> => {
      for (let n = from; n < from + 60; n++) {
        for (;;) {
          try {
            await engine.topics.publish([entry(n, { checkId: true })]);
            break;
          } catch (error) {
            assert.ok(
              hasCode(error, "TIDINGS_OUTCOME_UNKNOWN") || hasCode(error, "TIDINGS_UNREACHABLE"),
              String(error),
            );
            unknown++;
          }
        }
      }
    };
    const killer = (async () => {
      // Not for ever: on a machine that is slow enough nothing would ever be acknowledged.
      for (let ends = 0; running && ends < 100; ends++) {
        await endAll(admin, name);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    })();
    await Promise.all([0, 100, 200, 300].map(publisher));
    running = false;
    await killer;
    const all = await numbers(engine);
    assert.equal(all.length, 240);
    for (const from of [0, 100, 200, 300])
      assert.deepEqual(
        all.filter((n) => n >= from && n < from + 100),
        Array.from({ length: 60 }, (_, i) => from + i),
      );
    t.diagnostic(`${unknown} commits of unknown outcome`);
  });

  it("the one that listens listens again", async (t) => {
    const name = await schema(t);
    const [one, two] = [
      await open(t, { url: named(name), schema: name }),
      await open(t, { url: named(name), schema: name, pollMs: 600_000 }),
    ];
    const admin = await client(t);
    await one.topics.declare([{ name: "orders", partitions: 1 }]);
    let heard = 0;
    two.topics.watch("orders", () => heard++);
    const publishUntilHeard = async (): Promise<void> => {
      const before = heard;
      let n = 0;
      await until("the listener hears", async () => {
        await one.topics.publish([entry(n++)]).catch(() => undefined);
        return heard > before;
      });
    };
    await publishUntilHeard();
    await endAll(admin, name);
    await publishUntilHeard();
  });
});

describe("when all connections are cut off without a word", { skip: withoutPostgres }, () => {
  it("the first that does not answer is the only one that is tried in vain", async (t) => {
    const name = await schema(t);
    const url = new URL(named(name));
    const proxy = await FaultProxy.listen(Number(url.port), 1);
    url.port = String(proxy.port);
    const engine = await open(t, {
      url: url.href,
      schema: name,
      requestTimeoutMs: 500,
      notify: false,
      pollMs: 600_000,
    });
    t.after(() => proxy.close());
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    await Promise.all(Array.from({ length: 20 }, () => engine.topics.bounds("orders")));
    assert.ok(proxy.halfOpen("all") >= 4);
    const lost = await rejection(engine.topics.publish([entry(1)]));
    assert.equal((lost as { code?: string }).code, "TIDINGS_OUTCOME_UNKNOWN");
    await engine.topics.publish([entry(2)]);
    assert.deepEqual(await numbers(engine), [0, 2]);
    // Those that are given up unused get five bytes of farewell.
    assert.equal(proxy.swallowed.filter((bytes) => bytes > 5).length, 1);
  });

  it("nothing of them keeps the process when the engine is closed", async (t) => {
    const name = await schema(t);
    const url = new URL(named(name));
    const proxy = await FaultProxy.listen(Number(url.port), 1);
    url.port = String(proxy.port);
    const code = `
      const { postgres } = await import("tidings/postgres");
      const { systemPlatform } = await import(${JSON.stringify(new URL("../../../src/platform/system.ts", import.meta.url).href)});
      const engine = await postgres({ url: ${JSON.stringify(url.href)}, schema: "${name}", requestTimeoutMs: 500, pollMs: 600000 }).open({ platform: systemPlatform() });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      await Promise.all(Array.from({ length: 20 }, () => engine.topics.bounds("orders")));
      process.stdout.write("open");
      process.stdin.once("data", async () => {
        await engine.topics.bounds("orders");
        await Promise.all(Array.from({ length: 20 }, () => engine.topics.bounds("orders")));
        process.stdout.write("again");
        process.stdin.once("data", async () => {
          await engine.close();
          process.stdin.destroy();
        });
      });`;
    const child = spawn(process.execPath, [...process.execArgv, "--input-type=module", "-e", code], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    t.after(async () => {
      child.kill("SIGKILL");
      await proxy.close();
    });
    const exited = once(child, "exit");
    for (const word of ["open", "again"]) {
      assert.equal(String((await once(child.stdout, "data"))[0]), word);
      assert.ok(proxy.halfOpen("all") >= 4);
      child.stdin.write("\n");
    }
    assert.deepEqual(await exited, [0, null]);
  });
});

describe("a lock that is held for too long", { skip: withoutPostgres }, () => {
  it("is waited for and then refused, and nothing of the call is there", async (t) => {
    const name = await schema(t);
    const engine = await open(t, { schema: name, busyTimeoutMs: 400 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const user = await client(t);
    await user.query("BEGIN");
    await engine.topics.publishIn?.(user, [entry(1)]);
    const refused = await rejection(engine.topics.publish([entry(2)]));
    assert.equal((refused as { code?: string }).code, "TIDINGS_BUSY");
    await user.query("ROLLBACK");
    assert.deepEqual(await numbers(engine), []);
    await engine.topics.publish([entry(3)]);
    assert.deepEqual(await numbers(engine), [3]);
  });
});

describe("a closed engine", { skip: withoutPostgres }, () => {
  it("has settled what it had accepted, and refuses the rest", async (t) => {
    const name = await schema(t);
    const engine: FullEngine = await open(t, { schema: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const accepted = Array.from({ length: 50 }, (_, n) => engine.topics.publish([entry(n)]));
    await engine.close();
    assert.equal((await Promise.all(accepted)).length, 50);
    assert.equal((await rejection(engine.topics.publish([entry(99)]))).code, "TIDINGS_CLOSED");
    assert.equal((await numbers(await open(t, { schema: name }))).length, 50);
  });
});
