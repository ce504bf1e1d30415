import { TidingsError } from "../../errors/tidings-error.ts";
import type { Conflict, Outcome, Transaction } from "../../ports/transaction.ts";
import { append, type Prepared, prepare } from "./append.ts";
import { everything, type Handle, submit } from "./handle.ts";
import { fenceHolds } from "./leases.ts";
import { versionOf, writeDocument } from "./state.ts";
import { writeTimer } from "./timers.ts";
import type { World } from "./world.ts";

/** Applies all of a transaction or nothing, in the place among the other calls in which it was called. */
export async function memoryTransact(handle: Handle, transaction: Transaction): Promise<Outcome> {
  if (transaction.sql && transaction.sql.length > 0) {
    throw new TidingsError("TIDINGS_UNSUPPORTED", "The memory engine has no SQL; use sqlite or postgres for ctx.tx.", {
      details: { engine: "memory", feature: "userSql" },
    });
  }
  const copy = copyOf(transaction);
  const entries = (transaction.publish ?? []).map(prepare);
  return submit(handle, { kind: "transact", transaction }, everything, (uncertain) =>
    apply(handle, copy, entries, uncertain),
  );
}

type Applied = Required<Pick<Transaction, "fences" | "checks" | "documents" | "timers">>;

/** What the caller does to its objects after the call changes nothing. */
function copyOf({ fences, checks, documents, timers }: Transaction): Applied {
  const copy = <Item extends object>(items: readonly Item[] | undefined): Item[] =>
    (items ?? []).map((item) => ({ ...item }));
  return { fences: copy(fences), checks: copy(checks), documents: copy(documents), timers: copy(timers) };
}

/** Appends before it writes documents: an append is the only part that can still refuse. Nobody sees the order. */
function apply(handle: Handle, transaction: Applied, entries: readonly Prepared[], uncertain: boolean): Outcome {
  const { world } = handle;
  const conflict = conflictOf(world, transaction);
  if (conflict) return { committed: false, conflict };
  const result = append(handle, entries, uncertain);
  if ("conflict" in result) return { committed: false, conflict: { kind: "id", index: result.conflict } };
  for (const write of transaction.documents) writeDocument(world, write);
  for (const write of transaction.timers) writeTimer(world, write);
  return { committed: true, appended: result.appended };
}

function conflictOf(world: World, { fences, checks }: Applied): Conflict | undefined {
  for (const [index, fence] of fences.entries()) {
    if (!fenceHolds(world, fence)) return { kind: "fence", index };
  }
  for (const [index, check] of checks.entries()) {
    const version = versionOf(world, check);
    if (version !== check.version) return { kind: "check", index, version };
  }
  return undefined;
}
