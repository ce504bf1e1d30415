import { find } from "../documents.ts";
import { committed, conflictOf, equal, given, rejection, rejects, same } from "../expect.ts";
import { capability } from "../needs.ts";
import { entryOf, expectTexts } from "../records.ts";
import type { UserWork } from "../../ports/transaction.ts";
import type { Case, Env, UserSqlDialect } from "../suite.ts";

const needs = capability("userSql");

function dialectOf({ opened }: Env): UserSqlDialect {
  return given(opened.userSql, "userSql is declared, so the factory must offer its dialect");
}

/** A table of its own, and ways to write and read it through transactions. */
async function table(env: Env): Promise<{ add(n: number): UserWork; rows(): Promise<unknown[]> }> {
  const name = env.unique("user_").replaceAll("-", "_");
  const dialect = dialectOf(env);
  const exec =
    (sql: string): UserWork =>
    (handle) =>
      dialect.exec(handle, sql);
  committed(await env.transact({ sql: [exec(`CREATE TABLE ${name} (n INTEGER)`)] }));
  const read = `SELECT n FROM ${name} ORDER BY n`;
  return {
    add: (n) => exec(`INSERT INTO ${name} VALUES (${n})`),
    async rows() {
      let rows: readonly unknown[] = [];
      const keep = (found: readonly unknown[]): void => void (rows = found);
      const look: UserWork = (handle) => {
        const found = dialect.column(handle, read);
        return found instanceof Promise ? found.then(keep) : keep(found);
      };
      committed(await env.transact({ sql: [look] }));
      return rows.map(Number);
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
        return mine.add(n)(handle);
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
    name: "user SQL that begins, commits or rolls back is refused and rolled back",
    needs,
    async run(env) {
      const mine = await table(env);
      for (const statement of ["COMMIT", "BEGIN", "ROLLBACK"]) {
        const misuse: UserWork = (handle) => dialectOf(env).exec(handle, statement);
        await rejects(env.transact({ sql: [mine.add(1), misuse] }), "TIDINGS_TRANSACTION_MISUSE");
      }
      same(await mine.rows(), []);
    },
  },
  {
    name: "user SQL that answers with a promise is refused where SQL answers at once, and waited for elsewhere",
    needs,
    async run(env) {
      const mine = await table(env);
      const waiting: UserWork = async (handle) => {
        if (dialectOf(env).synchronous) return;
        await env.wait(5);
        await mine.add(2)(handle);
      };
      const outcome = env.transact({ sql: [mine.add(1), waiting] });
      if (dialectOf(env).synchronous) await rejects(outcome, "TIDINGS_TRANSACTION_MISUSE");
      else committed(await outcome);
      same(await mine.rows(), dialectOf(env).synchronous ? [] : [1, 2]);
    },
  },
];
