import { find } from "../documents.ts";
import { committed, conflictOf, equal, rejection, rejects, same } from "../expect.ts";
import { capability } from "../needs.ts";
import { entryOf, expectTexts } from "../records.ts";
import type { Case, Env } from "../suite.ts";

/** What a handle of SQL is known to have in every engine with `userSql`. */
interface SqlHandle {
  exec(sql: string): unknown;
  prepare(sql: string): { all(...values: readonly unknown[]): unknown };
}

const needs = capability("userSql");

/** A table of its own, and ways to write and read it through transactions. */
async function table(env: Env): Promise<{ add(n: number): (handle: unknown) => void; rows(): Promise<unknown[]> }> {
  const name = env.unique("user_").replaceAll("-", "_");
  committed(
    await env.transact({ sql: [(handle) => void (handle as SqlHandle).exec(`CREATE TABLE ${name} (n INTEGER)`)] }),
  );
  return {
    add: (n) => (handle) => void (handle as SqlHandle).exec(`INSERT INTO ${name} VALUES (${n})`),
    async rows() {
      let rows: unknown[] = [];
      committed(
        await env.transact({
          sql: [
            (handle) => {
              rows = (handle as SqlHandle).prepare(`SELECT n FROM ${name} ORDER BY n`).all() as unknown[];
            },
          ],
        }),
      );
      return rows.map((row) => Number((row as { n: number | bigint }).n));
    },
  };
}

/** The user's own SQL is a part of the transaction. */
export const sqlCases: readonly Case[] = [
  {
    name: "user SQL commits with the transaction, each function called once and in order",
    needs,
    async run(env) {
      const [topic, collection, mine] = [await env.topic(), env.unique("c"), await table(env)];
      const calls: number[] = [];
      const sql = [1, 2, 3].map((n) => (handle: unknown) => {
        calls.push(n);
        mine.add(n)(handle);
      });
      committed(
        await env.transact({
          sql,
          documents: [{ collection, key: "k", value: "v" }],
          publish: [entryOf(env, topic, { data: "a" })],
        }),
      );
      same(calls, [1, 2, 3]);
      same(await mine.rows(), [1, 2, 3]);
      equal((await find(env.state, collection, "k"))?.value, "v");
      await expectTexts(env.engine, topic, ["a"]);
    },
  },
  {
    name: "user SQL that throws rolls all back, and what it threw comes back",
    needs,
    async run(env) {
      const [topic, collection, mine] = [await env.topic(), env.unique("c"), await table(env)];
      const fault = new Error("the user's own fault");
      const throwing = (): void => {
        throw fault;
      };
      const transaction = {
        sql: [mine.add(1), throwing, mine.add(2)],
        documents: [{ collection, key: "k", value: "v" }],
        publish: [entryOf(env, topic)],
      };
      equal(await rejection(env.transact(transaction)), fault);
      same(await mine.rows(), []);
      equal(await find(env.state, collection, "k"), undefined);
      await expectTexts(env.engine, topic, []);
    },
  },
  {
    name: "user SQL is rolled back by a conflict",
    needs,
    async run(env) {
      const [collection, mine] = [env.unique("c"), await table(env)];
      const outcome = await env.transact({ sql: [mine.add(1)], checks: [{ collection, key: "k", version: 3 }] });
      same(conflictOf(outcome), { kind: "check", index: 0, version: 0 });
      same(await mine.rows(), []);
    },
  },
  {
    name: "user SQL is rolled back by a publish that is refused",
    needs,
    async run(env) {
      const mine = await table(env);
      await rejects(
        env.transact({ sql: [mine.add(1)], publish: [entryOf(env, env.unique("unknown"))] }),
        "TIDINGS_NOT_FOUND",
      );
      same(await mine.rows(), []);
    },
  },
  {
    name: "user SQL that throws does no harm to the transactions beside it",
    needs,
    async run(env) {
      const mine = await table(env);
      const throwing = (): void => {
        throw new Error("the user's own fault");
      };
      const calls = [[mine.add(1)], [mine.add(2), throwing], [mine.add(3)]].map((sql) => env.transact({ sql }));
      same(
        (await Promise.allSettled(calls)).map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled"],
      );
      same(await mine.rows(), [1, 3]);
    },
  },
  {
    name: "user SQL that begins, commits or rolls back, or answers with a Promise, is refused and rolled back",
    needs,
    async run(env) {
      const mine = await table(env);
      for (const statement of ["COMMIT", "BEGIN", "ROLLBACK"]) {
        const misuse = (handle: unknown): void => void (handle as SqlHandle).exec(statement);
        await rejects(env.transact({ sql: [mine.add(1), misuse] }), "TIDINGS_TRANSACTION_MISUSE");
      }
      const waiting = (async () => undefined) as () => void;
      await rejects(env.transact({ sql: [mine.add(1), waiting] }), "TIDINGS_TRANSACTION_MISUSE");
      same(await mine.rows(), []);
    },
  },
];
