import { TidingsError } from "../../errors/tidings-error.ts";
import type { RedriveReport } from "../../admin/redrives.ts";
import { sleep } from "../../platform/clock.ts";
import type { Session } from "../session.ts";
import { progressText } from "./redrive-text.ts";

/** A redrive that was followed, as it was last. */
export interface Followed {
  readonly report: RedriveReport;
  /** Why it is not waited for any longer though it is not over. */
  readonly waits: string | undefined;
}

/** How often to look, and for how long nothing may be able to go on before it is not waited for any longer. */
const lookEveryMs = 100;
const graceMs = 2000;

/** Waits until a redrive is over, or until it waits itself: for somebody to resume it, or for a process. Never for ever. */
export async function follow({ admin, out, platform, signal }: Session, id: string): Promise<Followed> {
  const { clock } = platform;
  let stuckSince: number | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  try {
    for (;;) {
      signal.throwIfAborted();
      const report = await admin.redrives.show(id);
      out.progress(progressText(report));
      if (report.endedAtMs !== undefined) return { report, waits: undefined };
      if (report.state === "paused") return { report, waits: "it is paused" };
      const now = clock.monotonic();
      // Who owns what is in flux while processes come and go: only what lasts is told.
      if (stuckSince !== undefined || now - lookedAt >= graceMs) {
        lookedAt = now;
        const waits = await obstacleOf({ admin }, report);
        stuckSince = waits === undefined ? undefined : (stuckSince ?? now);
        if (stuckSince !== undefined && now - stuckSince >= graceMs) return { report, waits };
      }
      await sleep(clock, lookEveryMs, signal);
    }
  } catch (error) {
    if (signal.aborted) out.note(`The redrive ${id} goes on; \`tidings dlq redrive-cancel ${id}\` stops it.`);
    throw error;
  } finally {
    out.progress();
  }
}

async function obstacleOf(session: Pick<Session, "admin">, report: RedriveReport): Promise<string | undefined> {
  if (report.waitingFor !== undefined) return `it waits for ${report.waitingFor}`;
  const alone = await nobodyRuns(session, report.subscriptions);
  return alone === undefined ? undefined : `no process runs ${alone}`;
}

/** The subscriptions, if no process runs any of them. */
export async function nobodyRuns(
  { admin }: Pick<Session, "admin">,
  subscriptions: readonly string[],
): Promise<string | undefined> {
  const reports = await admin.subscriptions.list();
  const live = reports.some(({ subscription, members }) => subscriptions.includes(subscription) && members.length > 0);
  return live ? undefined : subscriptions.join(" or ");
}

/** The error that ends a command which did not wait until the redrive was over. */
export function waitingError({ id }: RedriveReport, waits: string): TidingsError {
  return new TidingsError(
    "TIDINGS_REDRIVE_WAITING",
    `The redrive ${id} is not over: ${waits}. It goes on by itself; \`tidings dlq redrive-show ${id} --follow\` shows how, \`tidings dlq redrive-cancel ${id}\` stops it.`,
    { details: { redrive: id } },
  );
}
