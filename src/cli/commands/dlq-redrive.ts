import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { RedriveFilter } from "../../delivery/redrive/documents.ts";
import type { RedriveOptions } from "../../admin/redrive-options.ts";
import type { RedriveReport } from "../../admin/redrives.ts";
import { confirm } from "../confirm.ts";
import { type Session, withSession } from "../session.ts";
import { parseDuration, parseWhole, plural, usage } from "../values.ts";
import { addFilterOptions, filterOf, type FilterOptions } from "./dlq-filter.ts";
import { repair } from "./dlq-repair.ts";
import { follow, nobodyRuns, waitingError } from "./redrive-follow.ts";
import { planText, progressText, stateText } from "./redrive-text.ts";

interface Options extends FilterOptions {
  readonly all?: boolean;
  readonly limit?: string;
  readonly ramp?: string;
  readonly rate?: string;
  readonly canary?: string;
  readonly abort?: string;
  readonly batchTimeout?: string;
  readonly why?: string;
  readonly detach?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings dlq redrive 0197a1b2-…                                 one, at once
  tidings dlq redrive --group 59c1e50c… --dry-run                how many would it be?
  tidings dlq redrive --group 59c1e50c… --canary 5 --abort 2%    five first, stop when too many fail
  tidings dlq redrive --sub payments --rate 50 --detach          50 a second, and do not wait
`;

const after = `
Ids are sent back at once. What a filter selects is sent back step by step, by an application while one runs, and can be
looked at (dlq redrives), paused and cancelled; Ctrl-C leaves it going on. What fails again is the same dead letter. The
status is 6 when it is not over because no process runs the subscription, or it waits for something else.`;

/** `tidings dlq redrive`. */
export function configure(command: Command): void {
  addFilterOptions(command.argument("[ids...]", "ids of dead letters; else a filter"))
    .option("--all", "all there are")
    .option("-n, --limit <count>", "at most so many, oldest first")
    .option("--ramp <sizes>", "sizes of the batches, the last one for all that follow", "1,10,100,1000")
    .option("--rate <count>", "at most so many a second")
    .option("--canary <count>", "so many first; all of them must succeed")
    .option("--abort <rule>", "stop when more have failed again: 2%, 10, or 2%,10")
    .option("--batch-timeout <duration>", "how long to wait for the outcomes of a batch", "1m")
    .option("--why <text>", "for whoever looks later")
    .option("--detach", "do not wait until it is over")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "count them and do nothing")
    .addHelpText("before", examples)
    .addHelpText("after", after)
    .action((ids: string[], options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", (session) => {
        if (ids.length > 0 && !isPaced(command)) return repair(session, { kind: "redrive", ids, ...options });
        return redrive(session, ids, options);
      }),
    );
}

/** Whether ids shall go step by step as well. */
function isPaced(command: Command): boolean {
  return ["ramp", "rate", "canary", "abort", "batchTimeout", "detach"].some(
    (name) => command.getOptionValueSource(name) === "cli",
  );
}

async function redrive(session: Session, ids: readonly string[], options: Options): Promise<void> {
  const { admin, out, platform } = session;
  const filter = chosen(ids, options, platform.clock.now());
  const asked = redriveOptionsOf(options);
  if (options.dryRun) {
    const plan = await admin.redrives.plan(filter, asked);
    return out.result({ dryRun: true, ...plan }, () => planText(out, plan));
  }
  const begun = await startConfirmed(session, filter, { ...asked, everything: options.yes ?? false });
  const alone = await nobodyRuns(session, begun.subscriptions);
  if (options.detach || alone !== undefined) {
    const text = `Redrive ${begun.id} covers ${plural(begun.covered, "dead letter")}.`;
    await out.result(begun, () => `${text}${alone === undefined ? "" : ` It begins when a process runs ${alone}.`}\n`);
    if (!options.detach) throw waitingError(begun, `no process runs ${alone}, so nothing was sent back yet`);
    return;
  }
  const { report, waits } = await follow(session, begun.id);
  await out.result(report, () => `Redrive ${report.id}: ${stateText(report)}. ${sentence(report)}\n`);
  if (waits !== undefined) throw waitingError(report, waits);
  judge(report);
}

const sentence = (report: RedriveReport): string => `${progressText(report)}.`;

function chosen(ids: readonly string[], options: Options, nowMs: number): RedriveFilter {
  const filter = filterOf(options, nowMs);
  const given = Object.keys(filter).length > 0;
  if (ids.length > 0) {
    if (given || options.all) throw usage("Give ids or a filter, not both.");
    return { ids };
  }
  if (!given && !options.all) throw usage("Which ones? Give ids, a filter such as --sub or --group, or --all.");
  return filter;
}

function redriveOptionsOf(options: Options): RedriveOptions {
  const { limit, ramp, rate, canary, abort, batchTimeout, why } = options;
  return {
    ...(limit === undefined ? {} : { max: parseWhole("--limit", limit) }),
    ...(ramp === undefined ? {} : { ramp: ramp.split(",").map((size) => parseWhole("--ramp", size.trim())) }),
    ...(rate === undefined ? {} : { perSecond: parseRate(rate) }),
    ...(canary === undefined ? {} : { canary: parseWhole("--canary", canary) }),
    ...(abort === undefined ? {} : { abort: parseAbort(abort) }),
    ...(batchTimeout === undefined ? {} : { batchTimeoutMs: parseDuration("--batch-timeout", batchTimeout, 1) }),
    ...(why === undefined ? {} : { reason: why }),
  };
}

function parseRate(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && Number.isFinite(value)) return value;
  throw usage(`--rate takes a number above 0, not "${text}".`);
}

/** Reads `2%`, `10`, or both of them. */
function parseAbort(text: string): { share?: number; count?: number } {
  const rule: { share?: number; count?: number } = {};
  for (const part of text.split(",").map((each) => each.trim())) {
    const share = /^(\d+(?:\.\d+)?)%$/.exec(part);
    if (share && Number(share[1]) >= 100)
      throw usage(`--abort takes a share below 100%, a number, or both, such as 2%,10; not "${part}".`);
    if (share) rule.share = Number(share[1]) / 100;
    else rule.count = parseWhole("--abort", part, 0);
  }
  return rule;
}

async function startConfirmed(
  { admin, signal }: Session,
  filter: RedriveFilter,
  options: RedriveOptions,
): Promise<RedriveReport> {
  try {
    return await admin.redrives.start(filter, options);
  } catch (error) {
    if (!(error instanceof TidingsError) || error.code !== "TIDINGS_CONFIRMATION_NEEDED") throw error;
    const { covered } = await admin.redrives.plan(filter, options);
    await confirm(`This would redrive all ${plural(covered, "dead letter")} there are.`, false, signal);
    return admin.redrives.start(filter, { ...options, everything: true });
  }
}

/** Ends with a status that says whether all went well. */
function judge({ id, state, failedAgain, skipped, setAside, log }: RedriveReport): void {
  if (state === "aborted") {
    const reason = log.findLast(({ what }) => what === "aborted")?.reason ?? "";
    throw new TidingsError("TIDINGS_REDRIVE_ABORTED", `The redrive ${id} was aborted: ${reason}.`);
  }
  const others = failedAgain + skipped + setAside;
  if (others > 0)
    throw new TidingsError(
      "TIDINGS_PARTLY_DONE",
      `${failedAgain} failed again (\`tidings dlq ls --redrive ${id}\`), ${skipped + setAside} were left out.`,
    );
}
