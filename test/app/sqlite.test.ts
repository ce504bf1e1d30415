import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { service, tidings, topic } from "tidings";
import { z } from "zod";
import { silentLogger } from "../../src/delivery/log.ts";

const things = topic("things", { key: (data: { key: string }) => data.key });
const Happened = things.event("thing.happened", { data: z.object({ key: z.string(), n: z.number() }) });

interface Sql {
  exec(sql: string): void;
  prepare(sql: string): { run(...values: unknown[]): unknown; get(...values: unknown[]): unknown };
}

for (const binding of ["node:sqlite", "better-sqlite3"]) {
  describe(`an application on ${binding}`, () => {
    it("runs the user's SQL inside the commit, once, and not when the handler fails", async () => {
      const folder = mkdtempSync(join(tmpdir(), "tidings-app-"));
      let failures = 1;
      const ledger = service("ledger", { retry: { immediateMs: [0], delayedMs: [] } }).on(Happened, ({ data }, ctx) => {
        ctx.tx((db) => {
          const sql = db as Sql;
          sql.exec("CREATE TABLE IF NOT EXISTS ledger (key TEXT, n INTEGER)");
          sql.prepare("INSERT INTO ledger VALUES (?, ?)").run(data.key, data.n);
        });
        if (data.n === 2 && failures-- > 0) throw new Error("after the SQL was recorded");
      });
      const app = await tidings({
        name: "x",
        url: `sqlite:${folder}/x.db?binding=${binding}`,
        services: [ledger],
        logger: silentLogger,
      }).start();
      await Promise.all([1, 2, 3].map((n) => app.publish(Happened, { key: "k", n })));
      const totals = await app.settled({ timeoutMs: 20_000 });
      assert.equal(totals.subscriptions[0]?.handled, 3);
      let sum: unknown;
      await app.engine.transact?.({
        sql: [(db) => (sum = (db as Sql).prepare("SELECT count(*) AS n, sum(n) AS total FROM ledger").get())],
      });
      assert.deepEqual({ ...(sum as object) }, { n: 3, total: 6 });
      await app.stop();
      rmSync(folder, { recursive: true });
    });

    it("blames only the delivery whose SQL fails", async () => {
      const folder = mkdtempSync(join(tmpdir(), "tidings-app-"));
      const ledger = service("ledger", { retry: { immediateMs: [], delayedMs: [] } }).on(Happened, ({ data }, ctx) => {
        ctx.tx((db) => (db as Sql).exec(data.key === "bad" ? "INSERT INTO missing VALUES (1)" : "SELECT 1"));
      });
      const app = await tidings({
        name: "x",
        url: `sqlite:${folder}/x.db?binding=${binding}`,
        services: [ledger],
        logger: silentLogger,
      }).start();
      await Promise.all(["a", "bad", "b", "c"].map((key) => app.publish(Happened, { key, n: 1 })));
      const [totals] = (await app.settled({ timeoutMs: 20_000 })).subscriptions;
      assert.deepEqual([totals?.handled, totals?.deadLetters], [3, 1]);
      await app.stop();
      rmSync(folder, { recursive: true });
    });

    it("goes on where it was when it is started again", async () => {
      const folder = mkdtempSync(join(tmpdir(), "tidings-app-"));
      const seen: number[] = [];
      const url = `sqlite:${folder}/x.db?binding=${binding}`;
      const make = () =>
        tidings({
          name: "x",
          url,
          services: [service("sink").on(Happened, ({ data }) => void seen.push(data.n))],
          logger: silentLogger,
        });
      for (const round of [0, 1, 2]) {
        const app = await make().start();
        for (let i = 0; i < 50; i++) await app.publish(Happened, { key: "k", n: round * 50 + i });
        await app.settled({ timeoutMs: 20_000 });
        await app.stop();
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 150 }, (_, n) => n),
      );
      rmSync(folder, { recursive: true });
    });
  });
}
