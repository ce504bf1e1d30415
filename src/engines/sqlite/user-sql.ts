import { TidingsError } from "../../errors/tidings-error.ts";
import type { UserWork } from "../../ports/transaction.ts";
import { forbiddenStatement } from "../sql/statements.ts";
import type { Connection, SqlValue, Statement } from "./binding.ts";
import { failureKind } from "./failure.ts";

import type { Writer } from "./writer.ts";

/** What a function of `Transaction.sql` gets: SQL inside the engine's transaction, which it can neither end nor begin. */
export interface UserSql {
  /** Runs one or several statements. */
  exec(sql: string): void;
  /** Prepares one statement; it can be used until the function returns. */
  prepare(sql: string): Pick<Statement, "run" | "get" | "all">;
}

/** What functions of users threw, to tell it from failures of our own. */
const thrownByUsers = new WeakSet<Error>();

/** Whether a function of a user threw this, and its transaction has been undone. */
export function isThrownByUser(error: unknown): error is Error {
  return error instanceof Error && thrownByUsers.has(error);
}

/**
 * Applies a transaction that has functions of the user in a savepoint of its own: when one throws, only this
 * transaction is undone and rejected, and the others of the group go on.
 */
export function runUserSql<Result>(
  writer: Writer,
  functions: readonly UserWork[],
  apply: (userSql: () => void) => Result,
): Result {
  const { connection } = writer;
  connection.exec("SAVEPOINT tidings_user");
  try {
    const result = apply(() => {
      writer.wrote = true;
      for (const fn of functions) callUser(connection, fn);
    });
    connection.exec("RELEASE tidings_user");
    return result;
  } catch (error) {
    // Without a transaction there is nothing left to undo: the group sees it and begins again without this one.
    if (connection.inTransaction()) connection.exec("ROLLBACK TO tidings_user; RELEASE tidings_user");
    throw error;
  }
}

function callUser(connection: Connection, fn: UserWork): void {
  let open = true;
  const check = (sql: string): void => {
    if (!open) throw misuse("its SQL handle was used after the function had ended");
    const forbidden = forbiddenStatement(sql);
    if (forbidden) throw misuse(`it ran ${forbidden}, and the engine alone begins, ends and configures transactions`);
  };
  const handle: UserSql = {
    exec(sql) {
      check(sql);
      connection.exec(sql);
    },
    prepare(sql) {
      check(sql);
      const statement = connection.prepare(sql);
      const whileOpen =
        <Result>(run: (...values: SqlValue[]) => Result) =>
        (...values: SqlValue[]): Result => {
          check("");
          return run(...values);
        };
      return {
        run: whileOpen((...values) => statement.run(...values)),
        get: whileOpen((...values) => statement.get(...values)),
        all: whileOpen((...values) => statement.all(...values)),
      };
    },
  };
  try {
    const result = fn(handle);
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
      throw misuse("it returned a Promise; SQL inside a unit of work is synchronous");
    }
  } catch (cause) {
    const error =
      cause instanceof Error
        ? cause
        : new Error(`A function of the unit of work's SQL threw: ${String(cause)}`, { cause });
    // A failing disk is not the user's doing and stops the engine.
    if (failureKind(error) !== "io") thrownByUsers.add(error);
    throw error;
  } finally {
    open = false;
  }
  if (!connection.inTransaction())
    throw misuse("it ended the transaction, by a conflict clause OR ROLLBACK for example");
}

function misuse(what: string): TidingsError {
  return new TidingsError("TIDINGS_TRANSACTION_MISUSE", `A function of the unit of work's SQL was refused: ${what}.`);
}
