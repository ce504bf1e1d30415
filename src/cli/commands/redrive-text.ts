import { formatTime } from "../../event/instant.ts";
import { filterText } from "../../admin/redrive-snapshot.ts";
import type { RedrivePlan, RedriveReport } from "../../admin/redrives.ts";
import type { Output } from "../output.ts";
import { formatDuration, plural } from "../values.ts";

/** What a redrive would cover. */
export function planText(out: Output, plan: RedrivePlan): string {
  const { covered, keys, subscriptions, groups, topKeys, pace } = plan;
  const rows = [
    ...Object.entries(subscriptions).map(([name, count]) => ({ what: "subscription", name, count })),
    ...Object.entries(groups).map(([name, count]) => ({ what: "group", name, count })),
    ...topKeys.map(({ subscription, key, count }) => ({ what: "key", name: `${subscription} ${key}`, count })),
  ];
  const table = out.table(
    [
      { title: "BY", value: ({ what }) => what },
      { title: "WHICH", value: ({ name }) => name },
      { title: "COUNT", value: ({ count }) => count, right: true },
    ],
    rows,
  );
  const more = keys > topKeys.length ? `and ${plural(keys - topKeys.length, "more key")}\n` : "";
  return `Would redrive ${plural(covered, "dead letter")} with ${plural(keys, "key")}, ${paceText(pace)}.\n${table}${more}`;
}

/** How it goes, as people say it. */
function paceText({ ramp, perSecond, canary, abort }: RedrivePlan["pace"]): string {
  const parts = [`in batches of ${ramp.join(", ")}`];
  if (canary !== undefined) parts.push(`${canary} first as a canary`);
  if (perSecond !== undefined) parts.push(`at most ${perSecond} a second`);
  if (abort?.share !== undefined)
    parts.push(
      `until more than ${Math.round(abort.share * 10_000) / 100}% of at least ${abort.minimum} have failed again`,
    );
  if (abort?.count !== undefined) parts.push(`until more than ${abort.count} have failed again`);
  return parts.join(", ");
}

/** What has become of it, on one line. */
export function progressText(report: RedriveReport): string {
  const { covered, succeeded, failedAgain, underWay, setAside, skipped, remaining } = report;
  const parts = [`${succeeded} succeeded`, `${failedAgain} failed again`];
  for (const [count, word] of [
    [underWay, "under way"],
    [setAside, "set aside"],
    [skipped, "skipped"],
    [remaining, "left"],
  ] as const)
    if (count > 0) parts.push(`${count} ${word}`);
  return `${covered} covered: ${parts.join(", ")}`;
}

/** Its state, with what it waits for. */
export function stateText({ state, endedAtMs, waitingFor }: RedriveReport): string {
  if (waitingFor !== undefined && endedAtMs === undefined) return `${state}, waits for ${waitingFor}`;
  return endedAtMs === undefined && state !== "running" && state !== "paused" ? `${state}, ending` : state;
}

/** Everything about one. */
export function reportText(out: Output, report: RedriveReport): string {
  const { id, by, reason, filter, pace, subscriptions, createdAtMs, endedAtMs, batches, skippedWhy, skips } = report;
  const pairs = out.pairs([
    ["redrive", id],
    ["state", stateText(report)],
    ["progress", progressText(report)],
    ["subscriptions", subscriptions.join(", ")],
    ["filter", filterText(filter)],
    ["pace", paceText(pace)],
    ["batches", batches],
    ["begun", `${formatTime(createdAtMs)} by ${by}`],
    ["reason", reason],
    ["ended", endedAtMs === undefined ? undefined : formatTime(endedAtMs)],
    ["took", endedAtMs === undefined ? undefined : formatDuration(endedAtMs - createdAtMs)],
    ["skipped", Object.entries(skippedWhy).map(([code, count]) => `${count} ${code}`).join(", ")],
  ]); // prettier-ignore
  const story = report.log.map(
    ({ atMs, what, by: who, reason: why }) =>
      `  ${formatTime(atMs)}  ${what} by ${who}${why === undefined ? "" : `: ${why}`}\n`,
  );
  const left = skips.map(({ id: letter, code, message }) => `  ${letter}  ${message} [${code}]\n`);
  const skipped = left.length === 0 ? "" : `\n${out.bold("Skipped")}\n${left.join("")}`;
  return `${pairs}\n${out.bold("Story")}\n${story.join("")}${skipped}`;
}
