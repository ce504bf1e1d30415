import { type Command, Option } from "commander";
import type { DeadLetterFilter } from "../../admin/dead-letter-filter.ts";
import { parseInstant, usage } from "../values.ts";

/** Options by which commands on dead letters choose among them. */
export interface FilterOptions {
  readonly sub?: string;
  readonly type?: string;
  readonly key?: string;
  readonly tenant?: string;
  readonly reason?: NonNullable<DeadLetterFilter["reason"]>;
  readonly group?: string;
  readonly since?: string;
  readonly before?: string;
}

const reasons = [
  "exhausted", "terminal", "unmatched", "validation", "undecodable", "stalled", "id-conflict", "manual",
]; // prettier-ignore

/** Adds the options that choose dead letters. */
export function addFilterOptions(command: Command): Command {
  return command
    .option("-s, --sub <subscription>", "only of this subscription")
    .option("--type <type>", "only of this event type")
    .option("--key <key>", "only of this ordering key")
    .option("--tenant <id>", "only of this tenant")
    .addOption(new Option("--reason <reason>", "only given up for this reason").choices(reasons))
    .option("-g, --group <fingerprint>", "only of this fault, as dlq groups lists them")
    .option("--since <time>", "only given up since then: a time, or -1h")
    .option("--before <time>", "only given up before");
}

/** The filter that the options mean. Throws TIDINGS_USAGE. */
export function filterOf(options: FilterOptions, nowMs: number): DeadLetterFilter {
  const { sub, type, key, tenant, reason, group, since, before } = options;
  for (const [name, value] of Object.entries({ sub, type, key, tenant, group }))
    if (value === "") throw usage(`--${name} takes text that is not empty.`);
  return {
    ...(sub === undefined ? {} : { subscription: sub }),
    ...(type === undefined ? {} : { type }),
    ...(key === undefined ? {} : { key }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(reason === undefined ? {} : { reason }),
    ...(group === undefined ? {} : { fingerprint: group }),
    ...(since === undefined ? {} : { sinceMs: parseInstant("--since", since, nowMs) }),
    ...(before === undefined ? {} : { beforeMs: parseInstant("--before", before, nowMs) }),
  };
}
