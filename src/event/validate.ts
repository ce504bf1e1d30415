import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract, VersionStep } from "./contract.ts";

/**
 * What the current schema of a contract makes of the data. Throws TIDINGS_INVALID_PAYLOAD naming path,
 * rule and contract, TIDINGS_SCHEMA_ASYNC when the schema answers with a Promise, TIDINGS_SCHEMA_FAILED when it throws.
 */
export function validate(contract: Contract, data: unknown, moment: "publish" | "consume"): unknown {
  const step = contract.steps[contract.steps.length - 1] as VersionStep;
  const schema = step.schema as StandardSchemaV1;
  let result: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>;
  try {
    result = schema["~standard"].validate(data);
  } catch (cause) {
    throw new TidingsError(
      "TIDINGS_SCHEMA_FAILED",
      `The schema of ${describe(contract)} threw on ${moment}: ${messageOf(cause)}`,
      {
        cause,
        details: detailsOf(contract),
      },
    );
  }
  if (result instanceof Promise) {
    // Nobody will look at this Promise again; without a handler its rejection would end the process.
    result.catch(() => undefined);
    throw new TidingsError(
      "TIDINGS_SCHEMA_ASYNC",
      `The schema of ${describe(contract)} answered with a Promise; use a schema that validates synchronously.`,
      { details: detailsOf(contract) },
    );
  }
  if (result.issues) throw invalid(contract, result.issues, moment);
  return result.value;
}

function invalid(contract: Contract, issues: readonly StandardSchemaV1.Issue[], moment: string): TidingsError {
  const shown = issues.slice(0, 5).map((issue) => `${pathOf(issue)}: ${issue.message}`);
  const more = issues.length > shown.length ? ` (and ${issues.length - shown.length} more)` : "";
  return new TidingsError(
    "TIDINGS_INVALID_PAYLOAD",
    `The payload does not fit ${describe(contract)} on ${moment}: ${shown.join("; ")}${more}`,
    {
      details: {
        ...detailsOf(contract),
        path: issues[0] ? pathOf(issues[0]) : "data",
        rule: issues[0]?.message ?? "",
        issues: issues.length,
      },
    },
  );
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  let path = "data";
  for (const segment of issue.path ?? []) {
    const key = typeof segment === "object" && segment !== null ? segment.key : segment;
    path += typeof key === "number" ? `[${key}]` : `.${String(key)}`;
  }
  return path;
}

/** `"shop.order.placed" version 2 of topic "orders"`, for messages. */
export function describe(contract: Contract): string {
  return `"${contract.type}" version ${contract.dataVersion} of topic "${contract.topic.name}"`;
}

/** The names of a contract, for the details of an error. */
export function detailsOf(contract: Contract): { type: string; version: number; topic: string } {
  return { type: contract.type, version: contract.dataVersion, topic: contract.topic.name };
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
