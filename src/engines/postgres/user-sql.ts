import type pg from "pg";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { UserWork } from "../../ports/transaction.ts";
import type { Clock } from "../../platform/clock.ts";
import { forbiddenStatement } from "../sql/statements.ts";
import { failureKind } from "./failure.ts";

/** What a function of `Transaction.sql` gets: SQL inside the engine's transaction, which it can neither end nor begin. */
export interface UserSql {
  /** Runs a statement; `values` stand for `$1`, `$2`, ... Rows come as the client gives them. */
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>;
}

/** What functions of users threw, to tell it from failures of our own. */
const thrownByUsers = new WeakSet<object>();

/** Whether a function of a user threw this. */
export function isThrownByUser(error: unknown): error is Error {
  return typeof error === "object" && error !== null && thrownByUsers.has(error);
}

/** Calls the functions one after the other. What one throws is told apart by `isThrownByUser`, unless the server is at fault. */
export async function runUserSql(
  client: pg.PoolClient,
  functions: readonly UserWork[],
  { clock, withinMs }: { readonly clock: Clock; readonly withinMs: number },
): Promise<void> {
  // One that waits for what is to be written behind it, such as a publish, would wait for itself, and everybody with it.
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => undefined);
  const what = `it did not end within ${withinMs} ms; it must not wait for anything else that the application writes`;
  const cancel = clock.after(withinMs, () => late.reject(misuse(what)));
  try {
    for (const fn of functions) await callUser(client, fn, late.promise);
  } finally {
    cancel();
  }
}

async function callUser(client: pg.PoolClient, fn: UserWork, late: Promise<never>): Promise<void> {
  let open = true;
  let last: Promise<unknown> = Promise.resolve();
  /** What the server has refused with, to tell it from what the function has met elsewhere. */
  let refusal: unknown;
  const handle: UserSql = {
    query(text, values = []) {
      if (!open) return Promise.reject(misuse("its SQL handle was used after the function had ended"));
      const forbidden = forbiddenStatement(text);
      if (forbidden)
        return Promise.reject(misuse(`it ran ${forbidden}, and the engine alone begins and ends transactions`));
      // One after the other, also when the function does not wait.
      const result = last.then(() => (values.length === 0 ? client.query(text) : client.query(text, [...values])));
      last = result.catch((error: unknown) => void (refusal = error));
      return result;
    },
  };
  try {
    await Promise.race([fn(handle), late]);
    open = false;
    await Promise.race([last, late]);
  } catch (cause) {
    const error =
      cause instanceof Error
        ? cause
        : new Error(`A function of the unit of work's SQL threw: ${String(cause)}`, { cause });
    const kind = failureKind(error);
    const unfit = error === refusal && (kind === "full" || kind === "read-only");
    if (kind !== "lost" && kind !== "again" && !unfit) thrownByUsers.add(error);
    throw error;
  } finally {
    open = false;
  }
}

function misuse(what: string): TidingsError {
  return new TidingsError("TIDINGS_TRANSACTION_MISUSE", `A function of the unit of work's SQL was refused: ${what}.`);
}
