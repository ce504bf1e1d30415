import { TidingsError } from "../../errors/tidings-error.ts";
import type { DeadLetterFilter } from "../../admin/dead-letter-filter.ts";
import type { Refusal } from "../../admin/repair.ts";
import { confirm } from "../confirm.ts";
import { letterJson } from "../event-text.ts";
import type { Session } from "../session.ts";
import { parseDuration, parseWhole, usage } from "../values.ts";
import { filterOf, type FilterOptions } from "./dlq-filter.ts";
import { nobodyRuns } from "./redrive-follow.ts";

/** What `dlq redrive` (of ids), `dlq discard` and `dlq undo` were asked for. */
export interface RepairRequest extends FilterOptions {
  readonly kind: "redrive" | "discard" | "undo-discard";
  readonly ids: readonly string[];
  readonly all?: boolean;
  readonly limit?: string;
  readonly yes?: boolean;
  readonly undoFor?: string;
  readonly why?: string;
  readonly dryRun?: boolean;
}

const undoMaxMs = 30 * 24 * 60 * 60 * 1000;

/** Redrives or discards what the request chooses. */
export async function repair(session: Session, request: RepairRequest): Promise<void> {
  const { admin, out, platform, signal } = session;
  const filter = chosen(request, platform.clock.now());
  const limit = request.limit === undefined ? undefined : parseWhole("--limit", request.limit);
  const { kind, undoFor } = request;
  const undoMs = undoFor === undefined ? undefined : parseUndo(undoFor);
  if (request.dryRun) return preview(session, kind, filter, limit);
  if (kind !== "redrive") await ask(session, request, filter, limit);
  const options = {
    signal,
    onProgress: (done: number) => out.progress(`${done} done`),
    ...(limit === undefined ? {} : { limit }),
  };
  if (kind === "redrive") {
    const { redriven, refused } = await admin.deadLetters.redrive(filter, options);
    if (redriven > 0) await sayWhoHandles(session, filter);
    await report(session, { redriven, refused }, redriven, "Redriven");
  } else if (kind === "undo-discard") {
    const { restored, refused } = await admin.deadLetters.undoDiscard(filter, options);
    await report(session, { restored, refused }, restored, "Restored");
  } else {
    const { why } = request;
    const { discarded, refused } = await admin.deadLetters.discard(filter, {
      ...options,
      ...(undoMs === undefined ? {} : { undoMs }),
      ...(why === undefined ? {} : { reason: why }),
    });
    await report(session, { discarded, refused }, discarded, "Discarded");
  }
}

function chosen(request: RepairRequest, nowMs: number): DeadLetterFilter {
  const filter = filterOf(request, nowMs);
  const given = Object.keys(filter).length;
  if (request.ids.length > 0) {
    if (given > 0 || request.all) throw usage("Give ids or a filter, not both.");
    return { ids: request.ids };
  }
  if (given === 0 && !request.all) throw usage(`Which ones? Give ids, a filter such as --sub or --group, or --all.`);
  return filter;
}

/** What is sent back while no process runs its subscription waits for one. */
async function sayWhoHandles({ admin, out }: Session, filter: DeadLetterFilter): Promise<void> {
  const letters = await admin.deadLetters.list({ ...filter, state: "redriving" });
  const names = [...new Set(letters.map(({ subscription }) => subscription))];
  const alone = names.length === 0 ? undefined : await nobodyRuns({ admin }, names);
  if (alone !== undefined) out.note(`No process runs ${alone}: it is handled when one does.`);
}

/** Reads how long a discard can be undone: no longer than its story is kept. */
function parseUndo(text: string): number {
  const undoMs = parseDuration("--undo-for", text);
  if (undoMs <= undoMaxMs) return undoMs;
  throw usage(`--undo-for takes at most 30d, not "${text}": that is how long closed dead letters are kept.`);
}

async function preview(
  { admin, out, platform }: Session,
  kind: RepairRequest["kind"],
  filter: DeadLetterFilter,
  limit = Number.MAX_SAFE_INTEGER,
): Promise<void> {
  const undo = kind === "undo-discard";
  const nowMs = platform.clock.now();
  const state: DeadLetterFilter = undo ? { state: "discarded" } : filter.ids ? {} : { state: "open" };
  // What cannot be undone any more is not among those that would be taken.
  const all = await admin.deadLetters.list({ ...filter, ...state, limit: undo ? Number.MAX_SAFE_INTEGER : limit });
  const letters = undo ? all.filter(({ undoUntilMs = 0 }) => undoUntilMs >= nowMs).slice(0, limit) : all;
  await out.result({ dryRun: true, count: letters.length, deadLetters: letters.map(letterJson) }, () =>
    [
      letters.length === 0 ? "Would take none.\n" : `Would take ${letters.length}:\n`,
      ...letters.map(
        ({ id, subscription, record, failure }) => `  ${id}  ${subscription}  ${record.type}  ${failure.message}\n`,
      ),
    ].join(""),
  );
}

async function ask(
  { admin, signal, platform }: Session,
  { kind, yes }: RepairRequest,
  filter: DeadLetterFilter,
  limit?: number,
): Promise<void> {
  if (yes) return;
  const found = filter.ids ? filter.ids.length : await countOf(admin, kind, filter, platform.clock.now());
  const count = Math.min(found, limit ?? found);
  const what = kind === "discard" ? "discard" : "undo the discard of";
  if (count > 1) await confirm(`This would ${what} ${count} dead letters.`, yes, signal);
}

async function countOf(
  admin: Session["admin"],
  kind: RepairRequest["kind"],
  filter: DeadLetterFilter,
  nowMs: number,
): Promise<number> {
  if (kind === "discard") return admin.deadLetters.count({ ...filter, state: "open" });
  const letters = await admin.deadLetters.list({ ...filter, state: "discarded", limit: Number.MAX_SAFE_INTEGER });
  return letters.filter(({ undoUntilMs = 0 }) => undoUntilMs >= nowMs).length;
}

async function report<Result extends { readonly refused: readonly Refusal[] }>(
  { out }: Session,
  result: Result,
  done: number,
  word: string,
): Promise<void> {
  const { refused } = result;
  out.progress();
  await out.result(result, () =>
    [`${word}: ${done}.\n`, ...refused.map(({ id, code, message }) => `  ${id}  ${message} [${code}]\n`)].join(""),
  );
  const [first] = refused;
  if (!first) return;
  if (done === 0 && refused.length === 1) throw new TidingsError(first.code as TidingsError["code"], first.message);
  throw new TidingsError("TIDINGS_PARTLY_DONE", `${refused.length} of ${refused.length + done} were refused.`);
}
