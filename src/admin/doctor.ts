import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { isTidingsError } from "../errors/tidings-error.ts";
import { formatTime } from "../event/instant.ts";
import { messageOf } from "../event/validate.ts";
import type { EngineInfo } from "../ports/engine.ts";
import { isComposed } from "../outbox/composed.ts";
import { breakersAdmin } from "./breakers.ts";
import { type AdminContext } from "./context.ts";
import { type Guarantee, guarantees } from "./guarantees.ts";
import { outboxAdmin } from "./outbox.ts";
import { reportSubscriptions, type SubscriptionReport } from "./subscriptions.ts";

/** Something that somebody should look at. */
export interface Problem {
  /** `engine`, `disk`, `node`, or a subscription. */
  readonly area: string;
  readonly code: string;
  /** One sentence that says what to do. */
  readonly problem: string;
}

/** What the doctor found. */
export interface Diagnosis {
  readonly healthy: boolean;
  readonly problems: readonly Problem[];
  readonly engine: EngineInfo;
  readonly node: string;
  /** Free space where the file lies; undefined for engines without a file. */
  readonly diskFreeBytes: number | undefined;
  readonly guarantees: readonly Omit<Guarantee, "tests">[];
  readonly subscriptions: readonly Pick<
    SubscriptionReport,
    "subscription" | "status" | "pending" | "oldestAgeMs" | "heldKeys" | "deadLetters"
  >[];
}

/** From when on something is a problem. */
export interface DoctorLimits {
  /** Oldest pending event of a subscription, in milliseconds; 5 minutes. */
  readonly maxAgeMs?: number;
  /** Least free space of the disk, in bytes; 256 MiB. */
  readonly diskFreeBytesMin?: number;
  /** Largest write-ahead log, in bytes; 256 MiB. */
  readonly walBytesMax?: number;
}

const mib = 1024 * 1024;

/** Looks at everything that tends to go wrong. Never rejects for what it finds, only when the engine cannot be asked. */
export async function diagnose(context: AdminContext, limits: DoctorLimits = {}): Promise<Diagnosis> {
  const { engine } = context;
  const info = await engine.info();
  const { subscriptions, unreadable } = await reports(context);
  const diskFreeBytes = typeof info["path"] === "string" ? await freeBytes(info["path"]) : undefined;
  const problems = [
    ...engineProblems(engine.trouble(), info, limits),
    ...diskProblems(diskFreeBytes, limits.diskFreeBytesMin ?? 256 * mib),
    ...nodeProblems(process.versions.node),
    ...unreadable,
    ...(await breakerProblems(context)),
    ...(await outboxProblems(context, limits.maxAgeMs ?? 5 * 60_000)),
    ...subscriptions.flatMap((report) => subscriptionProblems(report, limits.maxAgeMs ?? 5 * 60_000)),
  ];
  return {
    healthy: problems.length === 0,
    problems,
    engine: info,
    node: process.versions.node,
    diskFreeBytes,
    guarantees: (guarantees[engine.name] ?? []).map(({ promise, title, holds, note }) => ({ promise, title, holds, note })),
    subscriptions: subscriptions.map(
      ({ subscription, status, pending, oldestAgeMs, heldKeys, deadLetters }) => ({
        subscription, status, pending, oldestAgeMs, heldKeys, deadLetters,
      }),
    ),
  }; // prettier-ignore
}

/** The reports, or the problem that keeps them from being read: a damaged record, say. */
async function reports(
  context: AdminContext,
): Promise<{ subscriptions: readonly SubscriptionReport[]; unreadable: readonly Problem[] }> {
  if (!context.engine.state) return { subscriptions: [], unreadable: [] };
  try {
    return { subscriptions: await reportSubscriptions(context), unreadable: [] };
  } catch (error) {
    const code = isTidingsError(error) ? error.code : "TIDINGS_VERIFY_FAILED";
    return { subscriptions: [], unreadable: [{ area: "engine", code, problem: messageOf(error) }] };
  }
}

async function breakerProblems(context: AdminContext): Promise<readonly Problem[]> {
  if (!context.engine.state) return [];
  const breakers = await breakersAdmin(context)
    .list()
    .catch(() => []);
  return breakers.flatMap(({ breaker, state, sinceMs, by, reason }) => {
    if (state === "closed") return [];
    const since = `since ${formatTime(sinceMs)} by ${by} (${reason})`;
    const problem = `The circuit breaker is ${state} ${since}: what uses it waits; look with \`tidings breaker ls\`.`;
    return [{ area: breaker, code: "TIDINGS_BREAKER_OPEN", problem }];
  });
}

async function outboxProblems(context: AdminContext, maxAgeMs: number): Promise<readonly Problem[]> {
  if (!isComposed(context.engine)) return [];
  const partitions = await outboxAdmin(context).partitions();
  const parked = partitions.reduce((sum, each) => sum + each.parked, 0);
  const unsent = partitions.reduce((sum, each) => sum + each.unsent, 0);
  const oldestMs = Math.max(...partitions.map(({ oldestAgeMs }) => oldestAgeMs));
  const problems: Problem[] = [];
  const add = (problem: string) => problems.push({ area: "outbox", code: "TIDINGS_OUTBOX_STUCK", problem });
  if (parked > 0)
    add(`${parked} events are refused by the broker, or wait behind such a one: look with \`tidings outbox ls\`.`);
  if (oldestMs > maxAgeMs)
    add(
      `${unsent} events are not sent to the broker, the oldest for ${Math.round(oldestMs / 1000)} s: see that an application runs and reaches it.`,
    );
  return problems;
}

function engineProblems(
  trouble: string | undefined,
  info: EngineInfo,
  { walBytesMax = 256 * mib }: DoctorLimits,
): Problem[] {
  const problems: Problem[] = [];
  const add = (code: string, problem: string) => problems.push({ area: "engine", code, problem });
  if (trouble !== undefined) add("TIDINGS_DISK_FAILED", trouble);
  const { synchronous, walBytes } = info;
  if (synchronous !== undefined && synchronous !== "full" && synchronous !== "extra")
    add(
      "TIDINGS_VERIFY_FAILED",
      `synchronous is ${String(synchronous)}, not full: acknowledged events may be lost when the power goes.`,
    );
  if (typeof walBytes === "number" && walBytes > walBytesMax)
    add(
      "TIDINGS_VERIFY_FAILED",
      `The write-ahead log has ${Math.round(walBytes / mib)} MiB: a long read of another process keeps it from being begun anew; find and end that process.`,
    );
  return problems;
}

async function freeBytes(path: string): Promise<number | undefined> {
  return statfs(dirname(path)).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
}

function diskProblems(free: number | undefined, min: number): Problem[] {
  if (free === undefined || free >= min) return [];
  const problem = `The disk has ${Math.round(free / mib)} MiB free: make space before publishing is refused with TIDINGS_DISK_FULL.`;
  return [{ area: "disk", code: "TIDINGS_DISK_FULL", problem }];
}

function nodeProblems(version: string): Problem[] {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return [];
  return [{ area: "node", code: "TIDINGS_NODE_TOO_OLD", problem: `Node.js ${version} is too old; 22.18 is needed.` }];
}

function subscriptionProblems(report: SubscriptionReport, maxAgeMs: number): Problem[] {
  const { subscription, status, pending, oldestAgeMs, deadLetters, paused, equation, partitions, definition } = report;
  const eventsMax = definition.backlog?.eventsMax ?? Number.POSITIVE_INFINITY;
  const problems: Problem[] = [];
  const add = (code: string, problem: string) => problems.push({ area: subscription, code, problem });
  const late = `${pending === 1 ? "1 event is" : `${pending} events are`} pending, the oldest for ${Math.round(oldestAgeMs / 1000)} s`;
  if (status === "lost") {
    const lost = partitions.reduce((sum, partition) => sum + partition.lost, 0);
    add("TIDINGS_POSITION_LOST", `${lost} events are gone by retention that it had not handled; seek to go on.`);
  } else if (paused) add("TIDINGS_LAG_EXCEEDED", `It is paused by ${paused.by} (${paused.reason}); ${late}.`);
  else if (status === "stuck")
    add("TIDINGS_LAG_EXCEEDED", `It is stuck: ${late}, and nothing was committed for a minute.`);
  else if (status === "stopped" && pending > 0) add("TIDINGS_LAG_EXCEEDED", `No process runs it; ${late}.`);
  else if (oldestAgeMs > maxAgeMs) add("TIDINGS_LAG_EXCEEDED", `It lags: ${late}.`);
  if (pending >= eventsMax)
    add(
      "TIDINGS_OVERLOADED",
      `Publishers are refused: its limit is ${eventsMax} pending events and there are ${pending}; let it catch up, or give it more processes.`,
    );
  if (deadLetters > 0) {
    const many = deadLetters === 1 ? "1 dead letter waits" : `${deadLetters} dead letters wait`;
    add("TIDINGS_DEAD_LETTERS", `${many}: look with \`tidings dlq groups --sub ${subscription}\`.`);
  }
  if (!equation.holds)
    add(
      "TIDINGS_VERIFY_FAILED",
      `Its counters add up to ${equation.sum} of ${equation.total} events; report this with the output of \`tidings sub lag ${subscription} --json\`.`,
    );
  return problems;
}
