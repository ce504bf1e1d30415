import { TidingsError } from "../../errors/tidings-error.ts";
import type { DeadLetterFilter } from "../../admin/dead-letter-filter.ts";
import type { Refusal } from "../../admin/repair.ts";
import { confirm } from "../confirm.ts";
import { letterJson } from "../event-text.ts";
import type { Session } from "../session.ts";
import { parseWhole, usage } from "../values.ts";
import { filterOf, type FilterOptions } from "./dlq-filter.ts";

/** What `dlq redrive` and `dlq discard` were asked for. */
export interface RepairRequest extends FilterOptions {
  readonly kind: "redrive" | "discard";
  readonly ids: readonly string[];
  readonly all?: boolean;
  readonly limit?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Redrives or discards what the request chooses. */
export async function repair(session: Session, request: RepairRequest): Promise<void> {
  const { admin, out, platform, signal } = session;
  const filter = chosen(request, platform.clock.now());
  const limit = request.limit === undefined ? undefined : parseWhole("--limit", request.limit);
  if (request.dryRun) return preview(session, filter, limit);
  if (request.kind === "discard") await ask(session, filter, limit, request.yes);
  const options = {
    signal,
    onProgress: (done: number) => out.progress(`${done} done`),
    ...(limit === undefined ? {} : { limit }),
  };
  if (request.kind === "redrive") {
    const { redriven, refused } = await admin.deadLetters.redrive(filter, options);
    await report(session, { redriven, refused }, redriven, "Redriven");
  } else {
    const { discarded, refused } = await admin.deadLetters.discard(filter, options);
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

async function preview({ admin, out }: Session, filter: DeadLetterFilter, limit?: number): Promise<void> {
  const letters = await admin.deadLetters.list({
    ...filter,
    ...(filter.ids ? {} : { state: "open" }),
    limit: limit ?? Number.MAX_SAFE_INTEGER,
  });
  await out.result({ dryRun: true, count: letters.length, deadLetters: letters.map(letterJson) }, () =>
    [
      letters.length === 0 ? "Would take none.\n" : `Would take ${letters.length}:\n`,
      ...letters.map(
        ({ id, subscription, record, failure }) => `  ${id}  ${subscription}  ${record.type}  ${failure.message}\n`,
      ),
    ].join(""),
  );
}

async function ask({ admin, signal }: Session, filter: DeadLetterFilter, limit?: number, yes?: boolean): Promise<void> {
  if (yes) return;
  const open = filter.ids ? filter.ids.length : await admin.deadLetters.count({ ...filter, state: "open" });
  const count = Math.min(open, limit ?? open);
  if (count > 1) await confirm(`This would discard ${count} dead letters.`, yes, signal);
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
