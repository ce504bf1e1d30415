import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { without } from "../../lib/machine.ts";
import { client, entry, numbers, open, schema, until, withoutPostgres } from "./support.ts";

/** A port that nobody listens on now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A pooler in transaction mode before the server; its address. */
async function pooler(t: TestContext): Promise<string> {
  const server = new URL(serviceUrl("postgres"));
  const folder = mkdtempSync(join(tmpdir(), "tidings-pgbouncer-"));
  const port = await freePort();
  const config = join(folder, "pgbouncer.ini");
  writeFileSync(
    config,
    `[databases]
${server.pathname.slice(1)} = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
`,
  );
  chmodSync(folder, 0o755);
  chmodSync(config, 0o644);
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const child: ChildProcess = spawn("pgbouncer", [config], { ...user, stdio: "ignore" });
  afterwards(t, () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  server.host = `127.0.0.1:${port}`;
  await until(
    "the pooler answers",
    () => spawnSync("psql", [server.href, "-c", "select 1"], { stdio: "ignore" }).status === 0,
  );
  return server.href;
}

describe("behind a pooler in transaction mode", { skip: withoutPostgres || without("pgbouncer") }, () => {
  it("everything works without prepared statements, and listening at a direct address", async (t) => {
    const name = await schema(t);
    const url = await pooler(t);
    const options = {
      url,
      schema: name,
      preparedStatements: false,
      listenUrl: serviceUrl("postgres"),
      pollMs: 600_000,
    };
    const engines = await Promise.all([1, 2, 3].map(() => open(t, options)));
    const [one, two] = engines;
    await one?.topics.declare([{ name: "orders", partitions: 1 }]);
    let heard = 0;
    two?.topics.watch("orders", () => heard++);
    const publish = (n: number) =>
      (engines[n % 3] as (typeof engines)[0]).topics.publish([entry(n, { checkId: true })]);
    await Promise.all(Array.from({ length: 60 }, (_, n) => publish(n)));
    await until("the other one hears", () => heard > 0);
    assert.equal((await numbers(one as never)).length, 60);
    const [lease] = (await one?.leases.acquire([{ name: "l", owner: "one", ttlMs: 60_000 }])) ?? [];
    const outcome = await two?.transact({
      fences: [{ lease: "l", token: lease?.token ?? 0 }],
      documents: [{ collection: "c", key: "k", value: "v" }],
      sql: [(db) => (db as { query(sql: string): Promise<unknown> }).query("SELECT 1")],
    });
    assert.deepEqual(outcome, { committed: true, appended: [] });
    // Nothing of a transaction is left on a connection that others use as well.
    const user = await client(t, url);
    const { rows } = await user.query<{ setting: string }>("SELECT current_setting('synchronous_commit') AS setting");
    assert.equal(rows[0]?.setting, "on");
  });
});
