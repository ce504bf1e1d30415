import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { postgres as kind } from "../../../scripts/chaos/postgres.ts";
import { RunningServer } from "../../../scripts/chaos/server.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { client, entry, type FullEngine, numbers, open, rejection, until, withoutPostgres } from "./support.ts";

/** A server of the test's own, and an engine on it with one event. */
async function ownServer(
  t: TestContext,
): Promise<{ server: RunningServer; url: string; engine: FullEngine; data: string }> {
  const server = await RunningServer.open(kind);
  afterwards(t, () => server.close());
  const url = kind.url(server, server.port, { requestTimeoutMs: 5000 });
  const engine = await open(t, { url, busyTimeoutMs: 60_000 });
  await engine.topics.declare([{ name: "orders", partitions: 1 }]);
  await engine.topics.publish([entry(1)]);
  return { server, url, engine, data: join(server.place.home, "data") };
}

const copy = (from: string, to: string): void => void execFileSync("cp", ["-a", from, to]);

async function stopsForGood(engine: FullEngine): Promise<void> {
  let code: string | undefined;
  await until("it has noticed", async () => {
    code = (await rejection(engine.topics.publish([entry(99)]))).code;
    return code !== "TIDINGS_OUTCOME_UNKNOWN" && code !== "TIDINGS_UNREACHABLE";
  });
  assert.equal(code, "TIDINGS_STORE_REPLACED");
  assert.match(engine.trouble() ?? "", /Start the members again/);
}

describe("a member whose server comes back", { skip: withoutPostgres, timeout: 240_000 }, () => {
  it("as it was, after a crash, goes on by itself", async (t) => {
    const { server, engine } = await ownServer(t);
    const acknowledged = [1];
    for (let n = 2; n < 5; n++) {
      await server.kill();
      const publish = (): Promise<unknown> => engine.topics.publish([entry(n, { checkId: true })]);
      const published = publish().catch(publish);
      await server.start();
      await published;
      acknowledged.push(n);
    }
    assert.deepEqual(await numbers(engine), acknowledged);
    assert.equal(engine.trouble(), undefined);
  });

  it("from an earlier backup stops for good, and one that is started again goes on from there", async (t) => {
    const { server, url, engine, data } = await ownServer(t);
    await server.kill();
    copy(data, `${data}-backup`);
    await server.start();
    await until("it goes on", () => engine.topics.publish([entry(2, { checkId: true })]).then(() => true, () => false)); // prettier-ignore
    assert.deepEqual(await numbers(engine), [1, 2]);
    await server.kill();
    rmSync(data, { recursive: true });
    renameSync(`${data}-backup`, data);
    await server.start();
    await stopsForGood(engine);
    const next = await open(t, { url });
    await next.topics.publish([entry(3)]);
    assert.deepEqual(await numbers(next), [1, 3]);
  });

  it("as a standby that was promoted stops for good: what had not reached that is gone", async (t) => {
    const { server, url, engine, data } = await ownServer(t);
    await server.kill();
    copy(data, `${data}-standby`);
    await server.start();
    await until("it goes on", () => engine.topics.publish([entry(2, { checkId: true })]).then(() => true, () => false)); // prettier-ignore
    await server.kill();
    rmSync(data, { recursive: true });
    renameSync(`${data}-standby`, data);
    writeFileSync(join(data, "standby.signal"), "");
    await server.start();
    // Connections that were made while it was a standby are there when it is none any more.
    const waiting = rejection(engine.topics.publish([entry(98)]));
    await until("it waits for a server that takes writes", async () => {
      await engine.topics.bounds("orders");
      return /takes no writes/.test(engine.trouble() ?? "");
    });
    await (await client(t, url)).query("SELECT pg_promote()");
    assert.equal((await waiting).code, "TIDINGS_STORE_REPLACED");
    await stopsForGood(engine);
    const next = await open(t, { url });
    assert.deepEqual(await numbers(next), [1]);
  });
});
